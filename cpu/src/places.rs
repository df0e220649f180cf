//! Where the interpreter keeps the decoded instructions of a page.

use lyrebird_chain::{At, Chain};

/// What a page's instructions are decoded to, each at the byte where it starts; another value stands where nothing is.
pub trait Places<T: Copy>: Send {
    /// A page where nothing is, for which `x` stands.
    fn filled(x: T) -> Box<Self>;
    /// What is at byte `at`, and behind it what follows without a gap as far as it is known, up to what stands for
    /// nothing or to the end of the page. Beside each is the byte at which it ends.
    fn from(&self, at: u32) -> At<'_, T>;
    /// Whether something is at byte `at` although nothing followed what ends there.
    fn has(&self, at: u32) -> bool;
    /// Puts `x`, which is `len` bytes long, at byte `at`, where nothing is.
    fn put(&mut self, at: u32, len: u32, x: T);
    /// What has this number in its row may be asked for what is at byte `at`, if something is.
    fn connect(&mut self, number: u16, at: u32);
}

/// Instructions of one length, of which a page holds `N`: a place for each.
pub struct Even<T, const N: usize>(Chain<T>);

impl<T: Copy + Send, const N: usize> Places<T> for Even<T, N> {
    fn filled(x: T) -> Box<Self> {
        let mut places = Chain::default();
        (0..N).for_each(|_| places.push(x, 0));
        Box::new(Even(places))
    }
    #[inline(always)]
    fn from(&self, at: u32) -> At<'_, T> {
        self.0.at(at as usize * N / 0x1000 % N)
    }
    #[inline(always)]
    fn has(&self, _: u32) -> bool {
        false
    }
    fn put(&mut self, at: u32, len: u32, x: T) {
        self.0.set(at as usize * N / 0x1000 % N, x, (at + len) as u16);
    }
    fn connect(&mut self, number: u16, at: u32) {
        self.0.connect(number as usize, at as usize * N / 0x1000 % N);
    }
}
