//! A host in memory: its flags, its cells, its requests, around a [`MemoryOwner`].

use bridge_host::step::LegacyKind;
use registry::{
    CellCreated, CellId, CellSourceChanged, CellType, Event, ExecutionCancelled, ExecutionRequested, QueueId, UserId,
};

use crate::owner::MemoryOwner;

/// What a host does, or what happens to it.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Requests executions of the good cell.
    Request(u8),
    /// Creates a cell and requests its execution.
    RequestNewCell,
    /// Puts a document in force that routes everybody so.
    Flip(&'static str),
    /// Cancels the newest entry that nobody has claimed.
    Cancel,
    /// The host's own code ends nothing any more, until it is woken.
    Hang,
    /// It goes on.
    Wake,
    /// Lets time pass, in milliseconds.
    Advance(u64),
    /// Stops the runtime and starts it again.
    Restart,
}

/// A document that routes everybody so, at the boundary `drain`.
pub fn document(route: &str) -> String {
    format!(
        r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "v": "{route}" }}, "defaultVariant": "v",
        "targeting": {{}}, "metadata": {{ "boundary": "drain" }} }} }} }}"#
    )
}

/// Runs.
pub const GOOD_CELL: &str = "good";
/// Runs, but the store of some tests refuses its output.
pub const BAD_CELL: &str = "bad";

/// Two cells that differ, in whose sources every fault of a text shows: a byte order mark, capitals, an entity, a carriage return,
/// white space at the end, and more than a buffer holds.
pub const TELLING_CELLS: [&str; 2] = ["telling-1", "telling-2"];

/// The source of the nth of them.
pub fn telling_source(n: usize) -> String {
    format!("\u{feff}<P>Tom &amp; Jerry {n}</P>\r\n<pre>{}</pre>  \n", "0123456789abcdef".repeat(4200))
}

/// The host.
pub struct Host {
    /// The notebook and its store.
    pub owner: MemoryOwner,
    /// Every entry requested, in order.
    pub requested: Vec<QueueId>,
    /// Every entry cancelled.
    pub cancelled: Vec<QueueId>,
}

impl Host {
    /// Two cells, the route `legacy`, a session.
    #[expect(clippy::new_without_default, reason = "a session is started")]
    pub fn new() -> Self {
        Self::with_legacy(LegacyKind::Compat)
    }

    /// The same with this as the old path.
    pub fn with_legacy(kind: LegacyKind) -> Self {
        let mut owner = MemoryOwner::with_legacy(kind);
        let applied = owner.flags.apply(&document("legacy"), "test");
        assert!(applied.is_ok(), "{applied:?}");
        owner.start();
        let mut host = Self { owner, requested: Vec::new(), cancelled: Vec::new() };
        for cell in [GOOD_CELL, BAD_CELL] {
            host.create(cell, "<b>x</b>");
        }
        host
    }

    /// Does one step.
    pub fn perform(&mut self, step: Step) {
        match step {
            Step::Request(count) => (0..count).for_each(|_| self.request(GOOD_CELL)),
            Step::RequestNewCell => {
                let cell = format!("cell-{}", self.requested.len());
                self.create(&cell, "<b>x</b>");
                self.request(&cell);
            }
            Step::Flip(route) => self.route(route),
            Step::Cancel => self.cancel(),
            Step::Hang => self.owner.hang(),
            Step::Wake => self.owner.wake_hanging(),
            Step::Advance(ms) => self.owner.advance(ms),
            // What a stop strands is stranded on the old system too.
            Step::Restart => {
                self.owner.wake_hanging();
                self.owner.advance(160);
                self.owner.stop();
                self.owner.advance(1);
                self.owner.start();
            }
        }
    }

    /// Routes everybody so.
    ///
    /// # Panics
    /// Never: the document is well formed.
    pub fn route(&mut self, route: &str) {
        let applied = self.owner.flags.apply(&document(route), "test");
        assert!(applied.is_ok(), "{applied:?}");
        self.owner.flags_changed();
    }

    /// Requests an execution of a cell.
    pub fn request(&mut self, cell: &str) {
        self.request_as(&format!("q{:04}", self.requested.len()), cell, 1);
    }

    /// Requests executions of these cells at once, so that either path sees them together.
    pub fn request_together(&mut self, cells: &[&str]) {
        let first = self.requested.len();
        let requests = cells.iter().enumerate().map(|(at, cell)| request(&format!("q{:04}", first + at), cell, 1));
        let requests: Vec<ExecutionRequested> = requests.collect();
        self.requested.extend(requests.iter().map(|request| request.queue_id.clone()));
        self.owner.commit(requests.into_iter().map(Event::from));
    }

    /// Requests an execution under this queue id and count.
    pub fn request_as(&mut self, id: &str, cell: &str, execution_count: i64) {
        self.requested.push(QueueId::from(id));
        self.owner.commit([request(id, cell, execution_count).into()]);
    }

    /// Creates a cell.
    pub fn create(&mut self, cell: &str, source: &str) {
        let created = CellCreated {
            id: CellId::from(cell),
            fractional_index: "a0".into(),
            cell_type: CellType::Code,
            created_by: UserId::from("user"),
        };
        self.owner.commit([created.into()]);
        self.edit(cell, source);
    }

    /// Creates the cells in which every fault shows.
    pub fn create_telling_cells(&mut self) {
        for (n, cell) in TELLING_CELLS.into_iter().enumerate() {
            self.create(cell, &telling_source(n));
        }
    }

    /// Edits a cell.
    pub fn edit(&mut self, cell: &str, source: &str) {
        let (id, user) = (CellId::from(cell), UserId::from("user"));
        self.owner.commit([CellSourceChanged { id, source: source.to_owned(), modified_by: user }.into()]);
    }

    /// Cancels the newest entry that nobody has claimed.
    fn cancel(&mut self) {
        let Some(id) = self.owner.state.pending_in_order().last().map(|row| row.id.clone()) else { return };
        self.cancelled.push(id.clone());
        self.owner.commit([Event::ExecutionCancelled(ExecutionCancelled {
            queue_id: id,
            cell_id: CellId::from(GOOD_CELL),
            cancelled_by: UserId::from("user"),
            actor_id: None,
            reason: "user".into(),
        })]);
    }

    /// Gives the slowest path time for everything that is queued.
    pub fn finish(&mut self) {
        self.owner.wake_hanging();
        self.owner.advance(160 * (self.requested.len() as u64 + 2));
    }
}

fn request(id: &str, cell: &str, execution_count: i64) -> ExecutionRequested {
    ExecutionRequested {
        queue_id: QueueId::from(id),
        cell_id: CellId::from(cell),
        execution_count,
        requested_by: UserId::from("user"),
        actor_id: None,
    }
}
