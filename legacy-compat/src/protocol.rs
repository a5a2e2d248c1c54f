//! The vocabulary between a legacy core and its performer.
//!
//! A legacy core yields after every effect that the host can observe or fail. An effect with a ticket is answered before the
//! core goes on; effects that one step returns are performed in order, and what an answer brings comes before what was
//! still waiting (depth first), which is the order of the old code's synchronous calls. An `await` of the old code is a
//! [`Hook`] whose answer comes later: a microtask in JavaScript, first in first out in the Rust player.

use registry::{CellId, Event, Failure, Query, Ticket, TimerId};
use serde::{Deserialize, Serialize};

/// Names a pending call of the host; its promise settles with [`Effect::Settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u32);

/// What a legacy core asks of its performer.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call the state callbacks, each with a copy of the state as it is at that call (an earlier callback may have changed
    /// it); what they throw is logged and goes no further.
    StateCallback(Ticket),
    /// Call a method of the runtime object, overridden or not.
    Hook(Ticket, Hook),
    /// Commit one event.
    Commit(Ticket, Event),
    /// Read from the store.
    Query(Ticket, Query),
    /// Answer at once: it only keeps what comes next behind what is being performed.
    Continue(Ticket),
    /// Answer at once with this failure: what the old code threw by itself (a store that is gone, say).
    Fail(Ticket, Failure),
    /// Answer after this many milliseconds.
    Sleep(Ticket, u64),
    /// Answer once what runs now has ended, with the microtasks behind it: the old component rendered there, and a host's
    /// promises settle before it. A microtask would come too early for that.
    Yield(Ticket),
    /// Which path serves the session that is about to start? Answered with true where it is this core, with false once
    /// another path serves it.
    AskRoute(Ticket),
    /// End the session that another path serves. Answered when it is over.
    EndSession(Ticket),
    /// Throw this in the host's render: an effect of the old component failed and took the tree down.
    Raise(Failure),
    /// Fire this timer every so many milliseconds until it is cleared.
    SetInterval(TimerId, u64),
    /// Clear a timer.
    ClearInterval(TimerId),
    /// Settle the promise of a host's call.
    Settle(CallId, Result<(), Failure>),
}

/// A method of the runtime object that the old code called through `this`, so that a host's subclass can override it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Hook {
    /// Merge the configuration given to this call of `start`.
    Configure {
        /// The call whose argument it is.
        call: CallId,
    },
    /// Answers with a text.
    GenerateRuntimeId,
    /// Answers with a text.
    GenerateSessionId {
        /// The id just generated.
        runtime_id: String,
    },
    /// Awaited.
    DoStart {
        /// The notebook given to `start`.
        notebook_id: String,
    },
    /// Awaited.
    DoStop,
    /// `start` of a restart, with the configuration given to it. Awaited.
    Start {
        /// The call of `restart` whose configuration is passed on.
        call: CallId,
        /// The notebook kept from before.
        notebook_id: String,
    },
    /// `stop` of a restart. Awaited.
    Stop,
    /// Answers with a flag.
    IsActiveAndReady,
    /// Fails where the runtime is not active.
    ValidateStarted,
    /// Status `busy`, if active.
    SetBusy,
    /// Status `ready`, if active.
    SetReady,
    /// Status `error` with this text.
    SetError {
        /// The text.
        message: String,
    },
    /// Awaited.
    ExecuteCode {
        /// The cell.
        cell_id: CellId,
        /// Its source.
        code: String,
    },
}
