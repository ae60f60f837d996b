#![no_main]

#[path = "../laws.rs"]
#[allow(dead_code, reason = "the laws of the other targets")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::answer(data));
