//! Where the interpreter keeps the decoded instructions of a page.

/// What a page's instructions are decoded to, each at the byte where it starts; another value stands where nothing is.
pub trait Places<T: Copy>: Send {
    /// A page where nothing is, for which `x` stands.
    fn filled(x: T) -> Box<Self>;
    /// What is at byte `at`, and behind it what follows without a gap as far as it is known, up to what stands for
    /// nothing or to the end of the page.
    fn from(&self, at: u32) -> &[T];
    /// Whether something is at byte `at` although nothing followed what ends there.
    fn has(&self, at: u32) -> bool;
    /// Puts `x`, which is `len` bytes long, at byte `at`, where nothing is.
    fn put(&mut self, at: u32, len: u32, x: T);
}

/// Instructions of one length: a place for each.
impl<T: Copy + Send, const N: usize> Places<T> for [T; N] {
    fn filled(x: T) -> Box<Self> {
        let places = vec![x; N].into_boxed_slice();
        places.try_into().unwrap_or_else(|_| unreachable!("the slice has just that length"))
    }
    #[inline(always)]
    fn from(&self, at: u32) -> &[T] {
        &self[at as usize * N / 0x1000 % N..]
    }
    #[inline(always)]
    fn has(&self, _: u32) -> bool {
        false
    }
    fn put(&mut self, at: u32, _: u32, x: T) {
        self[at as usize * N / 0x1000 % N] = x;
    }
}
