//! Values that lie behind each other and are walked by one pointer.
//!
//! The interpreter's handlers pass on where they are in decoded code. A slice takes two registers for that, its start and
//! its length, and the second would have to be kept somewhere in each handler that calls a slow path. Here each value
//! knows itself whether another one follows that belongs to it, and to which other one its owner has connected it.

#![allow(unsafe_code, reason = "what follows a value is reached by its address; see docs/unsafe.md")]

use std::marker::PhantomData;
use std::ptr::NonNull;

/// At most so many values are walked in one go.
pub const SECTION: usize = 64;

/// What stands beside a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Its number in the row.
    pub index: u16,
    /// What its owner notes about it.
    pub note: u16,
}

/// A value with what stands beside it.
#[derive(Clone, Copy, Debug)]
struct Link<T> {
    value: T,
    mark: Mark,
    /// The next one in memory, if there is one, is not its successor.
    last: bool,
    /// How far away the one is that it is connected to, in links; 0 if it is to none.
    to: i16,
}

/// Values in a row. Each has a note of 16 bits beside it.
#[derive(Clone, Debug)]
pub struct Chain<T> {
    // The last one has `last` set, always, and `to` leads to one of them: only `push`, `pop`, `set` and `connect` write them.
    links: Vec<Link<T>>,
    /// None behind this one is connected to.
    farthest: usize,
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Chain { links: Vec::new(), farthest: 0 }
    }
}

impl<T> Chain<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Adds one at the end.
    pub fn push(&mut self, value: T, note: u16) {
        let at = self.links.len();
        self.links.push(Link { value, mark: Mark { index: at as u16, note }, last: true, to: 0 });
        if !at.is_multiple_of(SECTION) {
            self.links[at - 1].last = false;
        }
    }

    /// Removes the one at the end.
    pub fn pop(&mut self) -> Option<T> {
        let link = self.links.pop()?;
        if let Some(end) = self.links.last_mut() {
            end.last = true;
        }
        if self.farthest >= self.links.len() {
            self.links.iter_mut().for_each(|link| link.to = 0);
            self.farthest = 0;
        }
        Some(link.value)
    }

    /// Puts another value in the place of one.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn set(&mut self, at: usize, value: T, note: u16) {
        let link = &mut self.links[at];
        (link.value, link.mark.note, link.to) = (value, note, 0);
    }

    /// Lets [`At::target`] of one lead to another, or to none if that is the same or too far away.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn connect(&mut self, from: usize, to: usize) {
        assert!(to < self.links.len(), "there is no place {to}");
        self.links[from].to = i16::try_from(to as isize - from as isize).unwrap_or(0);
        self.farthest = self.farthest.max(to);
    }

    /// A place in the row.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline(always)]
    pub fn at(&self, at: usize) -> At<'_, T> {
        assert!(at < self.links.len(), "there is no place {at}");
        // The pointer comes from the whole row, so that it may go to the others.
        let first: NonNull<Link<T>> = NonNull::from_ref(self.links.as_slice()).cast();
        // SAFETY: there are more than `at` links.
        At { link: unsafe { first.add(at) }, of: PhantomData }
    }
}

/// A single value, which nothing follows.
#[derive(Clone, Copy, Debug)]
pub struct Only<T>(Link<T>);

impl<T> Only<T> {
    /// A value with its note.
    pub fn new(value: T, note: u16) -> Self {
        Only(Link { value, mark: Mark { index: 0, note }, last: true, to: 0 })
    }

    /// Its place.
    pub fn at(&self) -> At<'_, T> {
        At { link: NonNull::from_ref(&self.0), of: PhantomData }
    }
}

/// A place in a row, with what follows it.
#[derive(Debug)]
pub struct At<'a, T> {
    // It points to a link that is borrowed for 'a, and may reach those behind it up to one whose `last` is set, and those
    // that `to` leads to.
    link: NonNull<Link<T>>,
    of: PhantomData<&'a Link<T>>,
}

impl<T> Clone for At<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for At<'_, T> {}

impl<'a, T> At<'a, T> {
    #[inline(always)]
    fn link(self) -> &'a Link<T> {
        // SAFETY: the link is borrowed for 'a, by the invariant of `link`.
        unsafe { self.link.as_ref() }
    }

    /// The value.
    #[inline(always)]
    pub fn value(self) -> &'a T {
        &self.link().value
    }

    /// What stands beside it.
    #[inline(always)]
    pub fn mark(self) -> Mark {
        self.link().mark
    }

    /// What follows, unless this is the last of its section or `stop` is not zero.
    #[inline(always)]
    pub fn next_unless(self, stop: u8) -> Option<Self> {
        if self.link().last as u8 | stop != 0 {
            return None;
        }
        // SAFETY: behind a link whose `last` is not set lies another one of the same vector, which is borrowed for 'a.
        Some(At { link: unsafe { self.link.add(1) }, ..self })
    }

    /// What it is connected to.
    #[inline(always)]
    pub fn target(self) -> Option<Self> {
        let to = self.link().to;
        if to == 0 {
            return None;
        }
        // SAFETY: `to` leads to another link of the same vector, which is borrowed for 'a.
        Some(At { link: unsafe { self.link.offset(to as isize) }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(chain: &Chain<usize>, from: usize) -> Vec<usize> {
        std::iter::successors(Some(chain.at(from)), |at| at.next_unless(0)).map(|at| *at.value()).collect()
    }

    #[test]
    fn a_walk_ends_with_the_section_and_with_the_row() {
        let mut chain = Chain::default();
        for n in 0..SECTION + 6 {
            chain.push(n, n as u16);
            assert_eq!(walk(&chain, 0).len(), (n + 1).min(SECTION));
        }
        assert_eq!(walk(&chain, SECTION - 2), [SECTION - 2, SECTION - 1]);
        assert_eq!(walk(&chain, SECTION), (SECTION..SECTION + 6).collect::<Vec<_>>());
        assert_eq!(chain.at(SECTION + 2).mark().index as usize, SECTION + 2);
        assert!(chain.at(0).next_unless(1).is_none());
        for _ in 0..6 {
            chain.pop();
        }
        chain.set(SECTION - 1, 7, 8);
        assert_eq!((walk(&chain, SECTION - 1), chain.at(SECTION - 1).mark().note), (vec![7], 8));
        chain.push(9, 9);
        assert_eq!((walk(&chain, SECTION - 1), walk(&chain, SECTION)), (vec![7], vec![9]));
    }

    #[test]
    fn a_connection_leads_to_another_one_of_the_row() {
        let mut chain = Chain::default();
        (0..100).for_each(|n| chain.push(n, 0));
        let target = |chain: &Chain<i32>, at| chain.at(at).target().map(|to| *to.value());
        assert_eq!(target(&chain, 3), None);
        chain.connect(3, 98);
        chain.connect(98, 3);
        chain.connect(5, 5);
        assert_eq!((target(&chain, 3), target(&chain, 98), target(&chain, 5)), (Some(98), Some(3), None));
        // Another value is not connected to what the old one was.
        chain.set(98, 7, 0);
        assert_eq!((target(&chain, 3), target(&chain, 98)), (Some(7), None));
        // And none is to one that is gone.
        chain.pop();
        assert_eq!(target(&chain, 3), Some(7));
        chain.pop();
        assert_eq!(target(&chain, 3), None);
    }

    #[test]
    #[should_panic]
    fn a_place_that_is_not_there_is_connected_to_nothing() {
        let mut chain = Chain::default();
        chain.push('x', 0);
        chain.connect(0, 1);
    }

    #[test]
    #[should_panic]
    fn a_place_behind_the_row_is_refused() {
        Chain::<u8>::default().at(0);
    }

    #[test]
    fn a_single_value_has_no_successor() {
        let only = Only::new('x', 3);
        assert_eq!(
            (*only.at().value(), only.at().mark().note, only.at().next_unless(0).is_none()),
            ('x', 3, true)
        );
    }
}
