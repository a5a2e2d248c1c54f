//! What must hold whatever the bytes: the fuzzer of `tests/fuzz` looks for bytes that break it, and a test goes through what it
//! has found so far.

use bridge_core::{
    Ability, Advice, Auditor, Backtest, Canonical, Class, Content, Decision, Doubt, Evidence, Guard, GuardSettings,
    Hits, Incident, Latch, Outcome, Place, ROUTE_FLAG, Reason, Route, Tier, decide, normalise,
};
use flags::{Context, FlagSet, LiveFlags};
use registry::{
    CellId, CellOutputsCleared, Container, DisplayId, ErrorOutputAdded, Event, MarkdownOutputAdded,
    MarkdownOutputAppended, MultimediaDisplayOutputAdded, MultimediaDisplayOutputUpdated, MultimediaResultOutputAdded,
    NotebookId, NotebookState, Now, OutputId, QueueId, Representations, RuntimeConfig, StreamName, SyncUrl,
    TerminalOutputAdded, TerminalOutputAppended, UserId, artifact_base_url,
};
use serde_json::{Value, json};

/// A property of arbitrary bytes; it panics where it does not hold.
pub type Property = fn(&[u8]);

/// Each target of the fuzzer by name, which is also the folder of its seeds.
pub const TARGETS: &[(&str, Property)] = &[
    ("normalisation", normalisation),
    ("flag-document", flag_document),
    ("event-log", event_log),
    ("configuration", configuration),
];

/// Parts an input into outputs. UTF-8 has no such byte.
const FRAME: u8 = 0xff;

/// Displays that one update may change: each of them copies what it brings.
const MAX_DISPLAYS: usize = 16;

/// Bytes that a canonical form may take for each byte of input, JSON around it and names of styles included; and for each
/// input, where the cursor is moved far.
const GROWTH: (usize, usize) = (64, 1 << 20);

/// Normalisation takes any outputs, is bounded, gives the same for the same, forgives other ids, and changes nothing of what it
/// has normalised.
pub fn normalisation(bytes: &[u8]) {
    let events = told(bytes, "a");
    let canonical = canonical_of(&events);
    let size = json!(canonical).to_string().len();
    assert!(size <= GROWTH.0 * bytes.len() + GROWTH.1, "{} bytes became {size}", bytes.len());
    assert_eq!(canonical, canonical_of(&told(bytes, "b")), "other ids");
    let retold = retold(&canonical.outputs);
    assert_eq!(canonical_of(&retold).outputs, canonical.outputs, "normalised twice");
}

/// The execution count of the entry whose outputs are told.
const COUNT: i64 = 4;

fn canonical_of(events: &[Event]) -> Canonical {
    normalise(COUNT, events, &mut Hits::new())
}

/// Tells the frames of an input as outputs: their first byte says what, their second which, the rest is text. `salt` names ids.
fn told(bytes: &[u8], salt: &str) -> Vec<Event> {
    let mut teller = Teller { salt, displays: 0, outputs: 0 };
    bytes.split(|byte| *byte == FRAME).filter_map(|frame| teller.tell(frame)).collect()
}

struct Teller<'a> {
    salt: &'a str,
    displays: usize,
    outputs: usize,
}

impl Teller<'_> {
    fn tell(&mut self, frame: &[u8]) -> Option<Event> {
        let (what, rest) = frame.split_first()?;
        let (which, text) = rest.split_first()?;
        let text = String::from_utf8_lossy(text).into_owned();
        let cell_id = CellId::from("c");
        let display_id = DisplayId::from(format!("{}-d{}", self.salt, which % 4));
        Some(match what % 11 {
            0 | 1 => {
                let stream_name = if *which % 2 == 0 { StreamName::Stdout } else { StreamName::Stderr };
                let (id, position, content) = (self.next_id(), self.position(*which), Container::inline(text));
                TerminalOutputAdded { id, cell_id, position, content, stream_name }.into()
            }
            2 => {
                let (id, output_id) = (OutputId::from(""), self.known_id(*which));
                TerminalOutputAppended { id, output_id, delta: text, sequence_number: 0 }.into()
            }
            3 => {
                let (id, position, content) = (self.next_id(), self.position(*which), Container::inline(text));
                MarkdownOutputAdded { id, cell_id, position, content }.into()
            }
            4 => {
                let (id, output_id) = (OutputId::from(""), self.known_id(*which));
                MarkdownOutputAppended { id, output_id, delta: text, sequence_number: 0 }.into()
            }
            5 | 6 => {
                let (id, position, representations) = (self.next_id(), self.position(*which), bundle(&text));
                let execution_count = [COUNT, 0, i64::MIN, i64::MAX][usize::from(which % 4)];
                MultimediaResultOutputAdded { id, cell_id, position, representations, execution_count }.into()
            }
            7 => {
                self.displays += 1;
                let display_id = (self.displays <= MAX_DISPLAYS).then_some(display_id);
                let (id, position, representations) = (self.next_id(), self.position(*which), bundle(&text));
                MultimediaDisplayOutputAdded { id, cell_id, position, representations, display_id }.into()
            }
            8 => MultimediaDisplayOutputUpdated { display_id, representations: bundle(&text) }.into(),
            9 => {
                let content = Container::inline(json!({ "ename": "E", "evalue": text, "traceback": [text] }));
                let (id, position) = (self.next_id(), self.position(*which));
                ErrorOutputAdded { id, cell_id, position, content }.into()
            }
            _ => CellOutputsCleared { cell_id, wait: which % 2 == 0, cleared_by: UserId::from(self.salt) }.into(),
        })
    }

    fn next_id(&mut self) -> OutputId {
        self.outputs += 1;
        OutputId::from(format!("{}-{}", self.salt, self.outputs))
    }

    /// One of the last outputs.
    fn known_id(&self, which: u8) -> OutputId {
        OutputId::from(format!("{}-{}", self.salt, self.outputs.saturating_sub(usize::from(which / 4 % 4))))
    }

    /// Mostly in order, at times before others.
    fn position(&self, which: u8) -> serde_json::Number {
        if which >= 0xf0 { 0.into() } else { self.outputs.into() }
    }
}

fn bundle(text: &str) -> Representations {
    let mut bundle = Representations::new();
    if let Ok(data) = serde_json::from_str::<Value>(text) {
        bundle.insert("application/json".to_owned(), Container::inline(data));
    }
    bundle.insert("text/plain".to_owned(), Container::inline(text));
    bundle
}

/// Tells outputs in canonical form as events that show them.
fn retold(outputs: &[Value]) -> Vec<Event> {
    outputs.iter().enumerate().filter_map(|(place, output)| retold_output(place, output)).collect()
}

fn retold_output(place: usize, output: &Value) -> Option<Event> {
    let text = |name: &str| output[name].as_str().unwrap_or_default();
    let (id, cell_id, position) = (OutputId::from(format!("again-{place}")), CellId::from("c"), place.into());
    Some(match text("kind") {
        "terminal" => {
            let stream_name = if text("stream") == "stderr" { StreamName::Stderr } else { StreamName::Stdout };
            let content = Container::inline(text("text"));
            TerminalOutputAdded { id, cell_id, position, content, stream_name }.into()
        }
        "markdown" => {
            let content = Container::inline(text("text"));
            MarkdownOutputAdded { id, cell_id, position, content }.into()
        }
        "error" => {
            ErrorOutputAdded { id, cell_id, position, content: Container::inline(inline(&output["content"])) }.into()
        }
        "result" => {
            let execution_count = COUNT.wrapping_add(output["executionCount"].as_i64().unwrap_or_default());
            let representations = representations(&output["representations"]);
            MultimediaResultOutputAdded { id, cell_id, position, representations, execution_count }.into()
        }
        "display" => {
            let display_id = output["displayId"].as_str().map(DisplayId::from);
            let representations = representations(&output["representations"]);
            MultimediaDisplayOutputAdded { id, cell_id, position, representations, display_id }.into()
        }
        "update" => {
            let representations = representations(&output["representations"]);
            MultimediaDisplayOutputUpdated { display_id: text("displayId").into(), representations }.into()
        }
        _ => serde_json::from_value(output.clone()).ok()?,
    })
}

fn inline(container: &Value) -> Value {
    container["inline"].clone()
}

fn representations(bundle: &Value) -> Representations {
    let types = bundle.as_object().into_iter().flatten();
    types.map(|(mime, container)| (mime.clone(), Container::inline(inline(container)))).collect()
}

/// A flag document is taken or refused at a place, decides for every notebook, the same each time, and where in doubt `legacy`.
pub fn flag_document(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let live = LiveFlags::new();
    live.expect();
    let applied = live.apply(&text, "fuzz");
    let set = FlagSet::parse(&text);
    assert_eq!(applied.is_ok(), set.is_ok());
    if let Err(error) = &set {
        assert!(error.place.line >= 1 && error.place.column >= 1, "{error}");
    }
    for id in ["", "nb", "\u{0}\u{1f980}", "2f9c4a10-5f0e-4c52-9c1d-8d8f6f0a7d11"] {
        let context = Context::new(id).with("runtimeType", "html").with("userId", 7).at(1_700_000_000_000);
        let decision = route(&live, &context);
        assert_eq!(decision, route(&live, &context), "decided twice");
        let Ok(set) = &set else {
            assert_eq!((decision.route, decision.reason), (Route::Legacy, Reason::Doubt(Doubt::NoDocument)));
            continue;
        };
        let resolution = set.resolve(ROUTE_FLAG, &context);
        assert_eq!(resolution.variant.is_some(), resolution.value.is_some());
        assert_eq!(set.explain(ROUTE_FLAG, &context).reason, resolution.reason);
        if decision.route != Route::Legacy {
            let said = resolution.value.and_then(Value::as_str).and_then(Route::parse);
            assert_eq!(said, Some(decision.route), "nobody is moved by what no rule says");
        }
        for (key, _) in set.iter() {
            set.resolve(key, &context);
        }
    }
}

fn route(live: &LiveFlags, context: &Context) -> Decision {
    let decision = decide(&live.load(), true, context, Ability { is_built_in: true, has_live_query: true });
    let is_doubt = matches!(decision.reason, Reason::Doubt(_) | Reason::Killed);
    assert!(!is_doubt || decision.route == Route::Legacy, "{decision:?}");
    decision
}

/// A line of a log is an event or an error; an event is written as it was read, and whatever events come, in whatever order, the
/// tables, the audit, the backtest and normalisation take them.
pub fn event_log(bytes: &[u8]) {
    let (mut state, mut auditor, mut backtest) = (NotebookState::new(), Auditor::new(), Backtest::new(Content::Shown));
    let mut events = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let Some(event) = std::str::from_utf8(line).ok().and_then(|line| Event::from_json(line).ok()) else { continue };
        let written = serde_json::to_string(&event).unwrap_or_default();
        assert_eq!(Event::from_json(&written).ok().as_ref(), Some(&event), "{written}");
        let place = Place::Line(number as u64 + 1);
        state.apply(&event);
        auditor.take(place, &event);
        backtest.take(place, &event);
        events.push(event);
    }
    canonical_of(&events);
    let audit = auditor.finish();
    assert_eq!(audit.events, events.len() as u64);
    let parity = backtest.finish();
    assert!(parity.replayed <= parity.executions, "{} of {} replayed", parity.replayed, parity.executions);
    assert!(serde_json::to_string(&(audit, parity)).is_ok());
    assert!(serde_json::to_string(&state.tables()).is_ok());
}

/// Each configuration is read or refused; a guard works by any settings; and no state that cannot be read opens a latch.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(config) = serde_json::from_str::<RuntimeConfig>(&text) {
        let missing = config.validate().err().map_or(0, |error| error.missing.len());
        assert!(missing <= 4);
    }
    if let Ok(url) = serde_json::from_str::<SyncUrl>(&text) {
        assert!(artifact_base_url(Some(&url)).starts_with("http"));
    }
    if let Ok(settings) = serde_json::from_str::<GuardSettings>(&text) {
        exercise(Guard::new(settings, "b"));
    }
    for state in [text.to_string(), sealed(&text)] {
        let (guard, error) = Guard::restore(GuardSettings::default(), "b", &state, Now::default());
        match error {
            Some(_) => assert_eq!(guard.latch().holds("nb").map(|closed| closed.tier), Some(Tier::Unreadable)),
            None => {
                let again = Guard::restore(GuardSettings::default(), "b", &guard.state(), Now::default());
                assert_eq!(again.0.state(), guard.state());
                exercise(guard);
            }
        }
    }
}

/// The text with the checksum of a guard's state, which nothing finds by chance.
fn sealed(json: &str) -> String {
    let json = json.strip_suffix('\n').unwrap_or(json);
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}\n{json}\n", json.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Evidence of each kind; what is latched stays latched.
fn exercise(mut guard: Guard) {
    let was: Latch = guard.latch().clone();
    for n in 0..6_u8 {
        let outcome = [Outcome::Clean, Outcome::Mismatch, Outcome::Failed][usize::from(n % 3)];
        let (id, class) = (QueueId::from("q"), Class::Deterministic);
        let now = Now { wall_ms: i64::from(n), mono_ms: u64::from(n) };
        let notebook = NotebookId::from(format!("n{}", n % 2));
        let advice = guard.take(now, &notebook, &Evidence::Compared { id, class, outcome });
        assert!(guard.latch().is_open() || advice != Advice::Promote);
    }
    guard.take(Now::default(), &NotebookId::from("nb"), &Evidence::Incident(Incident::LostExecution));
    assert!(was.closed().all(|closed| guard.latch().closed().any(|now| now == closed)));
    assert!(guard.status().log10_e.iter().all(|e| !e.is_nan()));
}
