//! Enums without data as one byte. Numbers are never reused.

use super::Malformed;
use crate::kernel::model::{
    Cause, ConcurrencyPolicy, DstPolicy, ExecutionState, LostRunPolicy, PlacementPolicy, RunStatus,
};

/// A choice that is stored as one byte.
pub(in super::super) trait Code: Sized {
    /// Returns the byte of the choice.
    fn to_code(self) -> u8;

    /// Reads what [`Code::to_code`] wrote.
    fn from_code(code: u8) -> Result<Self, Malformed>;
}

/// States the byte of each variant once, for both directions.
macro_rules! code {
    ($type:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        impl Code for $type {
            fn to_code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            fn from_code(code: u8) -> Result<Self, Malformed> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(Malformed::new(concat!("unknown ", stringify!($type)))),
                }
            }
        }
    };
}

code!(Cause { Schedule = 0, Manual = 1, Parent = 2 });
code!(ExecutionState { Running = 0, Succeeded = 1, Failed = 2, Cancelled = 3, Lost = 4 });
code!(RunStatus { Untriggered = 0, Success = 1, Failed = 2, PartiallyFailed = 3 });
code!(ConcurrencyPolicy { Allow = 0, Forbid = 1, Unsaid = 2 });
code!(DstPolicy { Once = 0, Wall = 1 });
code!(LostRunPolicy { Fail = 0, Rerun = 1, Never = 2 });
code!(PlacementPolicy { Every = 0, One = 1 });
