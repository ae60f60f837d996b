//! Settings: environment variables as tables, read once, with errors that name the variable.

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is used when it is not set; `None` when it has to be.
    pub default: Option<&'static str>,
    /// A valid value.
    pub example: &'static str,
    /// What it sets.
    pub meaning: &'static str,
}

/// A variable whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}. A valid value: {example}")]
pub struct SettingError {
    variable: &'static str,
    problem: String,
    example: &'static str,
}

impl Variable {
    /// An error about this variable: what is wrong with its value.
    pub fn error(&self, problem: impl std::fmt::Display) -> SettingError {
        SettingError {
            variable: self.name,
            problem: problem.to_string(),
            example: self.example,
        }
    }

    /// The value, or the default where none is set.
    ///
    /// # Errors
    /// It is not set and has no default.
    pub fn value(&self, lookup: &impl Fn(&str) -> Option<String>) -> Result<String, SettingError> {
        match lookup(self.name).filter(|value| !value.trim().is_empty()) {
            Some(value) => Ok(value),
            None => self
                .default
                .map(str::to_owned)
                .ok_or_else(|| self.error("it is not set and has no default")),
        }
    }

    /// The value as a whole number within a range.
    ///
    /// # Errors
    /// It is not one.
    pub fn number(
        &self,
        lookup: &impl Fn(&str) -> Option<String>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, SettingError> {
        let value = self.value(lookup)?;
        let number: u64 = value
            .trim()
            .parse()
            .map_err(|_| self.error(format!("{value:?} is not a whole number")))?;
        if !range.contains(&number) {
            return Err(self.error(format!(
                "{number} is not between {} and {}",
                range.start(),
                range.end()
            )));
        }
        Ok(number)
    }
}
