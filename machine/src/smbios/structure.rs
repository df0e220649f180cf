//! One structure: a formatted area, then its strings (DSP0134, 6.1).

/// A structure that is being built, field by field.
#[derive(Debug, Clone)]
pub(super) struct Structure {
    area: Vec<u8>,
    strings: Vec<u8>,
    count: u8,
}

impl Structure {
    pub(super) fn new(kind: u8, handle: u16) -> Structure {
        let [low, high] = handle.to_le_bytes();
        Structure { area: vec![kind, 0, low, high], strings: Vec::new(), count: 0 }
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Structure {
        self.area.extend(bytes);
        self
    }

    pub(super) fn word(self, word: u16) -> Structure {
        self.bytes(&word.to_le_bytes())
    }

    /// A reference to a string; an empty one is none.
    pub(super) fn string(mut self, text: &str) -> Structure {
        let text: Vec<u8> = text.bytes().filter(|b| *b != 0).collect();
        if text.is_empty() {
            return self.bytes(&[0]);
        }
        self.count += 1;
        self.strings.extend(text);
        self.strings.push(0);
        let number = self.count;
        self.bytes(&[number])
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let Structure { mut area, mut strings, .. } = self;
        let len = area.len() as u8;
        area.iter_mut().skip(1).take(1).for_each(|b| *b = len);
        // The strings end with an empty one; without any there are two zeros.
        if strings.is_empty() {
            strings.push(0);
        }
        strings.push(0);
        area.extend(strings);
        area
    }
}
