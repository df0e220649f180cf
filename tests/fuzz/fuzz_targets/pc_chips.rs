#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (lyrebird_tests::fuzz::TARGETS[11].run)(bytes));
