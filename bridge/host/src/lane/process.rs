//! The parent's side of a process in which candidates run. A child that dies, hangs or floods is killed, and another is
//! started a while later; after too many the lane is off.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bridge_core::{Comparison, Observation, Why};

use super::child::{Asked, GREETING, read_frame, write_frame};
use super::scheduling::Account;
use super::{Job, deadline_ms, longest_ms};

/// How long a child may take to start: a hundred times what it takes.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// Children that may be lost before the lane is off. Unlike a thread that is away, one that was killed costs nothing more.
const MAX_LOST: u32 = 10;

/// The pause before the second start, which doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause before a start: a host that shuts down waits for what is being compared.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to run: it has to call [`serve`](super::serve).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that it sees besides those of this process.
    pub env: Vec<(OsString, OsString)>,
}

/// A comparison during which the child was lost.
pub(super) struct Lost {
    pub(super) comparison: Comparison,
    /// This was one too many.
    pub(super) is_for_good: bool,
}

/// The child of a lane: none before the first job, and after one was lost.
#[derive(Default)]
pub(super) struct Process {
    running: Option<Running>,
    lost: u32,
}

impl Process {
    /// Has the child compare; waits for it.
    pub(super) fn compare(&mut self, program: &Program, job: &Job) -> Result<Comparison, Lost> {
        let deadline = Duration::from_millis(deadline_ms(&job.observation));
        let seeded = job.seeded.map(super::Seeded::name);
        let asked = Asked { observation: &job.observation, mode: job.mode, seeded };
        match self.ask(program, &asked, deadline) {
            Ok(comparison) => Ok(comparison),
            Err(failure) => {
                let ended = self.running.take().and_then(|mut running| running.end(failure == Failure::Gone));
                self.lost += 1;
                let comparison = failure.verdict(&job.observation, ended);
                Err(Lost { comparison, is_for_good: self.lost >= MAX_LOST })
            }
        }
    }

    fn ask(&mut self, program: &Program, asked: &Asked<'_>, deadline: Duration) -> Result<Comparison, Failure> {
        let running = match &mut self.running {
            Some(running) if running.program == *program => running,
            slot => {
                // One of another program is ended.
                *slot = None;
                if self.lost > 0 {
                    thread::sleep(FIRST_PAUSE.saturating_mul(1 << self.lost.min(16)).min(LONGEST_PAUSE));
                }
                let started = Running::start(program).map_err(|_| Failure::NoProcess)?;
                slot.insert(started).greet()?
            }
        };
        let text = serde_json::to_vec(asked).map_err(|_| Failure::NoProcess)?;
        let answer = running.exchange(Some(text), deadline)?;
        serde_json::from_slice(&answer).map_err(|_| Failure::NoProcess)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It could not be started, or says what nobody understands.
    NoProcess,
    /// The answer did not come in time.
    Timeout,
    /// The child is gone, or its stream is of no use any more.
    Gone,
}

impl Failure {
    /// A child that somebody ended from outside says nothing of the candidate; one that crashed does.
    fn verdict(self, observation: &Observation, ended: Option<ExitStatus>) -> Comparison {
        match self {
            Self::Timeout => Comparison::inconclusive(observation, Why::Timeout),
            Self::Gone if ended.is_some_and(has_crashed) => Comparison::died(observation),
            Self::Gone | Self::NoProcess => Comparison::inconclusive(observation, Why::NoProcess),
        }
    }
}

/// Whether a process brought itself down.
#[cfg(unix)]
fn has_crashed(status: ExitStatus) -> bool {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;

    let crashes = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::ILL, Signal::FPE, Signal::TRAP, Signal::SYS];
    status.signal().is_some_and(|signal| crashes.iter().any(|crash| crash.as_raw() == signal))
}

/// Windows ends a process that crashed with the code of an exception, an error by its highest bits.
#[cfg(not(unix))]
fn has_crashed(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| code as u32 >= 0xC000_0000)
}

/// A child that was started. Its streams have threads of their own, so that none of them can hold up the lane.
struct Running {
    program: Program,
    child: Child,
    account: Option<Account>,
    requests: SyncSender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
}

impl Running {
    fn start(program: &Program) -> io::Result<Self> {
        let mut command = Command::new(&program.path);
        command.args(&program.args).envs(program.env.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What a terminal sends to the host, the host answers.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (requests, outgoing) = sync_channel(1);
        let (incoming, answers) = sync_channel(1);
        if let Some(stdin) = child.stdin.take() {
            thread::Builder::new().name("runtime-bridge-asks".to_owned()).spawn(move || write_all(stdin, &outgoing))?;
        }
        if let Some(mut stdout) = child.stdout.take() {
            thread::Builder::new().name("runtime-bridge-hears".to_owned()).spawn(move || {
                while let Ok(Some(frame)) = read_frame(&mut stdout) {
                    if incoming.send(frame).is_err() {
                        return;
                    }
                }
            })?;
        }
        let account = Account::of_process(child.id());
        Ok(Self { program: program.clone(), child, account, requests, answers })
    }

    fn greet(&mut self) -> Result<&mut Self, Failure> {
        match self.exchange(None, START_DEADLINE)? {
            greeting if greeting == GREETING.as_bytes() => Ok(self),
            _ => Err(Failure::NoProcess),
        }
    }

    fn exchange(&self, text: Option<Vec<u8>>, deadline: Duration) -> Result<Vec<u8>, Failure> {
        if let Some(text) = text {
            self.requests.send(text).map_err(|_| Failure::Gone)?;
        }
        let starved = || self.account.as_ref().and_then(Account::starved_ms).unwrap_or_default();
        let (began, starved_before) = (Instant::now(), starved());
        let longest = Duration::from_millis(longest_ms(deadline.as_millis() as u64));
        let mut due = deadline;
        loop {
            match self.answers.recv_timeout(due.saturating_sub(began.elapsed())) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Gone),
                // That it was ready to run and got no core is not held against it.
                Err(RecvTimeoutError::Timeout) => {
                    due = (deadline + Duration::from_millis(starved() - starved_before)).min(longest);
                    if due <= began.elapsed() {
                        return Err(Failure::Timeout);
                    }
                }
            }
        }
    }

    /// Ends the child and says how it ended. One that is going down by itself is given a moment to do so.
    fn end(&mut self, is_going: bool) -> Option<ExitStatus> {
        let began = Instant::now();
        while is_going && began.elapsed() < GOING_DOWN && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(1));
        }
        // One that has ended is not killed any more, and keeps its status.
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// How long a child whose streams have closed may take to be gone: a system that keeps an image of what crashed writes it first.
const GOING_DOWN: Duration = Duration::from_secs(2);

fn write_all(mut stdin: ChildStdin, outgoing: &Receiver<Vec<u8>>) {
    for text in outgoing {
        if write_frame(&mut stdin, &text).is_err() {
            return;
        }
    }
}
