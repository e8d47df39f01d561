//! The way from the root to where a recursive walk stands: kept on the stack, and spelled
//! out as a pointer only when there is an error to report.

use crate::error::{WriteError, WriteErrorKind};
use crate::pointer::Pointer;

pub(crate) enum Path<'a> {
    Root,
    Member(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl Path<'_> {
    pub(crate) fn fail(&self, kind: WriteErrorKind) -> WriteError {
        WriteError::new(kind, self.pointer())
    }

    fn pointer(&self) -> Pointer {
        match self {
            Self::Root => Pointer::root(),
            Self::Member(above, name) => above.pointer().child(name),
            Self::Item(above, index) => above.pointer().index(*index),
        }
    }
}
