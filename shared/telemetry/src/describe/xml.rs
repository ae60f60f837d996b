//! XML answers, read by the shape that the model gives for them.
//!
//! What comes out is what boto3 returns for the same bytes: members by their model names, elements
//! that the model does not know left out, lists where the model has lists.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::model::{Member, Model, Shape, ShapeId};
use super::scalar;

/// Elements within elements; AWS's answers stay below 15.
const MAX_DEPTH: usize = 64;

/// A reader at some place in a document.
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
}

/// Something that happens between the start and the end of an element.
enum Within<'a> {
    Element(BytesStart<'a>),
    Text(String),
}

impl<'a> Xml<'a> {
    /// Opens a document and reads up to its root element, whose name is returned.
    pub(super) fn open(body: &'a [u8]) -> Result<(Xml<'a>, String), String> {
        let mut reader = Reader::from_reader(body);
        // An element without content is then an element like another.
        reader.config_mut().expand_empty_elements = true;
        let mut xml = Xml { reader, depth: 0 };
        loop {
            match xml.event()? {
                Event::Start(root) => return Ok((xml, name_of(&root))),
                Event::Eof => return Err("it holds no element".into()),
                Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => {}
                Event::End(_) | Event::CData(_) | Event::Text(_) | Event::GeneralRef(_) => {
                    return Err("it is not XML".into());
                }
                _ => {}
            }
        }
    }

    fn event(&mut self) -> Result<Event<'a>, String> {
        self.reader.read_event().map_err(|error| error.to_string())
    }

    /// What comes next within the element that was started last; `None` at its end.
    fn within(&mut self) -> Result<Option<Within<'a>>, String> {
        loop {
            let text = match self.event()? {
                Event::Start(element) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err("its elements nest too deeply".into());
                    }
                    return Ok(Some(Within::Element(element)));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(None);
                }
                Event::Eof => return Err("it ends in the middle".into()),
                Event::Text(text) => text.xml10_content().map(String::from),
                Event::CData(text) => text.xml10_content().map(String::from),
                Event::GeneralRef(reference) => {
                    return match reference.resolve_char_ref() {
                        Ok(Some(character)) => Ok(Some(Within::Text(character.into()))),
                        Ok(None) => reference
                            .decode()
                            .ok()
                            .and_then(|name| quick_xml::escape::resolve_xml_entity(&name))
                            .map(|text| Some(Within::Text(text.to_owned())))
                            .ok_or_else(|| "it refers to an unknown entity".into()),
                        Err(error) => Err(error.to_string()),
                    };
                }
                _ => continue,
            };
            return text
                .map(|text| Some(Within::Text(text)))
                .map_err(|error| error.to_string());
        }
    }

    /// Reads past the element that was started last.
    fn skip(&mut self) -> Result<(), String> {
        let outer = self.depth;
        while self.depth >= outer {
            self.within()?;
        }
        Ok(())
    }

    /// Reads up to the child of that name of the element that was started last; `false` when there
    /// is none.
    pub(super) fn enter(&mut self, name: &str) -> Result<bool, String> {
        while let Some(within) = self.within()? {
            if let Within::Element(element) = within {
                if name_of(&element) == name {
                    return Ok(true);
                }
                self.skip()?;
            }
        }
        Ok(false)
    }

    /// Reads past the end of the root element and to the end of the document: one that ends before is
    /// cut, and one that goes on is not an answer.
    pub(super) fn close(&mut self, root_ended: bool) -> Result<(), String> {
        if !root_ended {
            while let Some(within) = self.within()? {
                if let Within::Element(_) = within {
                    self.skip()?;
                }
            }
        }
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => {}
                _ => return Err("it goes on after its end".into()),
            }
        }
    }

    /// The text of the element that was started last.
    pub(super) fn text(&mut self) -> Result<String, String> {
        let (mut text, mut first) = (String::new(), true);
        while let Some(within) = self.within()? {
            match within {
                // As ElementTree has it: the text before the first child.
                Within::Text(part) if first => text.push_str(&part),
                Within::Text(_) => {}
                Within::Element(_) => {
                    first = false;
                    self.skip()?;
                }
            }
        }
        Ok(text)
    }

    /// The value of the element that was started last, which has that shape.
    pub(super) fn value(&mut self, model: &Model, shape: ShapeId) -> Result<Value, String> {
        match model.shape(shape) {
            Shape::Structure(members) => self.structure(model, members),
            Shape::List { of, .. } => {
                let mut items = Vec::new();
                while let Some(within) = self.within()? {
                    if let Within::Element(_) = within {
                        items.push(self.value(model, *of)?);
                    }
                }
                Ok(Value::Array(items))
            }
            Shape::Map {
                of,
                key,
                value,
                flat,
            } => {
                let mut entries = Map::new();
                if *flat {
                    self.entry(model, *of, (key, value), &mut entries)?;
                } else {
                    while let Some(within) = self.within()? {
                        if let Within::Element(_) = within {
                            self.entry(model, *of, (key, value), &mut entries)?;
                        }
                    }
                }
                Ok(Value::Object(entries))
            }
            scalar => {
                let text = self.text()?;
                scalar::from_text(scalar, text)
            }
        }
    }

    fn structure(&mut self, model: &Model, members: &[Member]) -> Result<Value, String> {
        let mut read: Vec<Option<Value>> = members.iter().map(|_| None).collect();
        while let Some(within) = self.within()? {
            let Within::Element(element) = within else {
                continue;
            };
            let name = element.local_name();
            let known = members
                .iter()
                .zip(&mut read)
                .find(|(member, _)| member.wire.as_bytes() == name.as_ref());
            let Some((member, place)) = known else {
                self.skip()?;
                continue;
            };
            match (model.shape(member.shape), place.as_mut()) {
                (Shape::List { of, flat: true }, items) => {
                    let item = self.value(model, *of)?;
                    match items {
                        Some(Value::Array(items)) => items.push(item),
                        _ => *place = Some(Value::Array(vec![item])),
                    }
                }
                (Shape::Map { flat: true, .. }, Some(Value::Object(entries))) => {
                    if let Value::Object(more) = self.value(model, member.shape)? {
                        entries.extend(more);
                    }
                }
                _ => *place = Some(self.value(model, member.shape)?),
            }
        }
        let read = members
            .iter()
            .zip(read)
            .filter_map(|(member, value)| Some((member.name.clone(), value?)));
        Ok(Value::Object(read.collect()))
    }

    fn entry(
        &mut self,
        model: &Model,
        of: ShapeId,
        (key_name, value_name): (&str, &str),
        entries: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let (mut key, mut value) = (None, None);
        while let Some(within) = self.within()? {
            let Within::Element(element) = within else {
                continue;
            };
            let name = name_of(&element);
            if name == key_name {
                key = Some(self.text()?);
            } else if name == value_name {
                value = Some(self.value(model, of)?);
            } else {
                self.skip()?;
            }
        }
        if let Some((key, value)) = key.zip(value) {
            entries.insert(key, value);
        }
        Ok(())
    }
}

fn name_of(element: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(element.local_name().as_ref()).into_owned()
}
