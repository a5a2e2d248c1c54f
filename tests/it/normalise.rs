//! Does normalisation forgive what is innocent, and nothing else?

use bridge_core::{Canonical, Hits, normalise};
use proptest::prelude::*;
use proptest::sample::Index;
use registry::{
    CellId, CellOutputsCleared, Container, ErrorOutputAdded, Event, ExecutionCompleted, ExecutionStarted,
    ExecutionStatus, MultimediaDisplayOutputAdded, MultimediaResultOutputAdded, OutputId, QueueId, Representations,
    SessionId, StreamName, TerminalOutputAdded, TerminalOutputAppended, Timestamp, UserId,
};
use serde_json::{Value, json};

fn canonical(events: &[Event]) -> Canonical {
    normalise(COUNT, events, &mut Hits::new())
}

const COUNT: i64 = 4;

/// What a cell puts out, before it is told in events.
#[derive(Clone, Debug)]
enum Output {
    Stream(StreamName, String),
    Result(Vec<(&'static str, Value)>),
    Display(Vec<(&'static str, Value)>),
    Error(String),
    Clear { wait: bool },
}

/// Texts of which every character stays on the screen.
fn lasting_text() -> BoxedStrategy<String> {
    prop_oneof!["[ -~é]{1,12}", "\u{1b}\\[3[1-7]m[a-z]{1,5}\u{1b}\\[0m", "<Plot at 0x[0-9a-f]{8}>",].boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![3 => lasting_text(), 1 => "[a-z]{1,6}\r[a-z]{1,6}\n"].boxed()
}

fn bundle(text: &BoxedStrategy<String>) -> impl Strategy<Value = Vec<(&'static str, Value)>> + use<> {
    let plain = text.clone().prop_map(|text| ("text/plain", Value::from(text)));
    let html = text.clone().prop_map(|text| ("text/html", Value::from(format!("<b>{text}</b>"))));
    let data =
        (any::<i32>(), text.clone()).prop_map(|(n, text)| ("application/json", json!({ "n": n, "a": [text, 1.5] })));
    (plain, html, data).prop_map(|(plain, html, data)| vec![plain, html, data])
}

fn output(text: &BoxedStrategy<String>) -> impl Strategy<Value = Output> + use<> {
    let stream = prop_oneof![Just(StreamName::Stdout), Just(StreamName::Stderr)];
    prop_oneof![
        4 => (stream, text.clone()).prop_map(|(stream, text)| Output::Stream(stream, text)),
        2 => bundle(text).prop_map(Output::Result),
        2 => bundle(text).prop_map(Output::Display),
        1 => text.clone().prop_map(Output::Error),
        1 => any::<bool>().prop_map(|wait| Output::Clear { wait }),
    ]
}

fn outputs(text: &BoxedStrategy<String>) -> impl Strategy<Value = Vec<Output>> + use<> {
    prop::collection::vec(output(text), 1..8)
}

fn representations(bundle: &[(&'static str, Value)]) -> Representations {
    bundle.iter().map(|(mime, data)| ((*mime).to_owned(), Container::inline(data.clone()))).collect()
}

/// Tells outputs in events; `salt` names ids, sessions and times.
fn told(outputs: &[Output], salt: i64) -> Vec<Event> {
    let cell_id = CellId::from("c");
    let queue_id = QueueId::from("q");
    let session = SessionId::from(format!("session-{salt}"));
    let at = Timestamp::from_ms(1_700_000_000_000 + salt);
    let started = ExecutionStarted {
        queue_id: queue_id.clone(),
        cell_id: cell_id.clone(),
        runtime_session_id: session,
        started_at: at,
    };
    let mut events = vec![Event::from(started)];
    for (place, output) in outputs.iter().enumerate() {
        let id = OutputId::from(format!("{salt}-{place}"));
        let position = place.into();
        let cell_id = cell_id.clone();
        events.push(match output {
            Output::Stream(stream_name, text) => {
                let content = Container::inline(text.as_str());
                TerminalOutputAdded { id, cell_id, position, content, stream_name: *stream_name }.into()
            }
            Output::Result(bundle) => {
                let representations = representations(bundle);
                MultimediaResultOutputAdded { id, cell_id, position, representations, execution_count: COUNT }.into()
            }
            Output::Display(bundle) => {
                let representations = representations(bundle);
                MultimediaDisplayOutputAdded { id, cell_id, position, representations, display_id: None }.into()
            }
            Output::Error(text) => {
                let content = Container::inline(json!({ "ename": "E", "evalue": text, "traceback": [text] }));
                ErrorOutputAdded { id, cell_id, position, content }.into()
            }
            Output::Clear { wait } => {
                CellOutputsCleared { cell_id, wait: *wait, cleared_by: UserId::from(format!("u{salt}")) }.into()
            }
        });
    }
    let completed = ExecutionCompleted {
        queue_id,
        cell_id,
        status: ExecutionStatus::Success,
        error: None,
        completed_at: at,
        execution_duration_ms: salt.into(),
    };
    events.push(completed.into());
    events
}

/// Writes each stream chunk in two, the second half appended to the first.
fn rechunked(events: &[Event], at: Index) -> Vec<Event> {
    let mut out = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let Event::TerminalOutputAdded(chunk) = event else {
            out.push(event.clone());
            continue;
        };
        let text: Vec<char> = chunk.content.data().and_then(Value::as_str).unwrap().chars().collect();
        let (head, tail) = text.split_at(at.index(text.len() + 1));
        let mut first = chunk.clone();
        first.content = Container::inline(head.iter().collect::<String>());
        out.push(first.into());
        let delta = tail.iter().collect();
        let id = OutputId::from(format!("delta-{place}"));
        out.push(TerminalOutputAppended { id, output_id: chunk.id.clone(), delta, sequence_number: 0 }.into());
    }
    out
}

fn reordered(events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    for event in &mut events {
        match event {
            Event::MultimediaResultOutputAdded(e) => e.representations.reverse(),
            Event::MultimediaDisplayOutputAdded(e) => e.representations.reverse(),
            _ => {}
        }
    }
    events
}

proptest! {
    #[test]
    fn other_ids_and_times_are_forgiven(outputs in outputs(&text())) {
        prop_assert_eq!(canonical(&told(&outputs, 1)), canonical(&told(&outputs, 2)));
    }

    #[test]
    fn other_chunks_are_forgiven(outputs in outputs(&text()), at in any::<Index>()) {
        let events = told(&outputs, 1);
        prop_assert_eq!(canonical(&events), canonical(&rechunked(&events, at)));
    }

    #[test]
    fn another_order_of_mime_types_is_forgiven(outputs in outputs(&text())) {
        let events = told(&outputs, 1);
        prop_assert_eq!(canonical(&events), canonical(&reordered(&events)));
    }

    #[test]
    fn positions_count_by_rank(outputs in outputs(&text())) {
        let mut events = told(&outputs, 1);
        for event in &mut events {
            if let Event::MultimediaResultOutputAdded(e) = event {
                e.position = serde_json::Number::from_f64(e.position.as_f64().unwrap() + 0.25).unwrap();
            }
        }
        prop_assert_eq!(canonical(&told(&outputs, 1)), canonical(&events));
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), more in any::<String>()) {
        let outputs = [Output::Stream(StreamName::Stdout, text.clone()), Output::Error(more.clone()), Output::Result(vec![("text/plain", text.into())])];
        canonical(&told(&outputs, 1));
    }
}

/// Streams as they come from a process: any chunk may end within an escape sequence.
#[test]
fn test_29_an_escape_sequence_split_across_chunks_is_the_sequence() {
    let whole = "a\u{1b}[1;31mred\u{1b}[0m \u{1f980}\rA<Plot at 0x7f3a1c2b>\u{1b}[Kz";
    let expect = canonical(&told(&[Output::Stream(StreamName::Stdout, whole.to_owned())], 1));
    for at in (0..=whole.len()).filter(|at| whole.is_char_boundary(*at)) {
        let (head, tail) = whole.split_at(at);
        let halves = [head, tail].map(|text| Output::Stream(StreamName::Stdout, text.to_owned()));
        assert_eq!(canonical(&told(&halves, 2)), expect, "split at {at}");
    }
}

/// A line that is written anew, as progress displays do.
#[test]
fn test_26_a_line_that_was_written_over_is_forgiven_and_what_stays_of_it_is_not() {
    let shown = |text: &str| canonical(&told(&[Output::Stream(StreamName::Stdout, text.to_owned())], 1)).outputs;
    assert_eq!(shown("10 %\r 50 %\r100 %\n"), shown("100 %\n"));
    assert_ne!(shown("10 % done\r100 %\n"), shown("100 %\n"), "the tail of the longer line stays");
}

/// What the mutations of chance do not reach, each at the level at which it has to show.
#[test]
fn test_27_an_order_a_number_that_is_no_address_and_a_style_are_differences() {
    let stream = |text: &str| told(&[Output::Stream(StreamName::Stdout, text.to_owned())], 1);
    let error = |text: &str| Output::Error(text.to_owned());
    let swapped = [[error("a"), error("b")], [error("b"), error("a")]].map(|outputs| canonical(&told(&outputs, 1)));
    assert_ne!(swapped[0].outputs, swapped[1].outputs);
    assert_ne!(canonical(&stream("mask 0x7f3a1c2b")).outputs, canonical(&stream("mask 0x7f3a1c2c")).outputs);
    let [red, blue] = [31, 34].map(|colour| canonical(&stream(&format!("\u{1b}[{colour}mtext"))));
    assert_eq!(red.outputs, blue.outputs, "a colour decides nothing");
    assert_ne!(red.cosmetic, blue.cosmetic, "and is reported");
}

/// A store keeps one row of an id: an output added again takes the first one's place, and a delta added again is none.
#[test]
fn test_27_an_id_that_is_used_again_takes_away_what_it_named() {
    let chunks = ["a", "b"].map(|text| Output::Stream(StreamName::Stdout, text.to_owned()));
    let with_ids = |one: &str, other: &str| {
        let mut ids = [one, other].into_iter();
        let mut events = told(&chunks, 1);
        for event in &mut events {
            if let Event::TerminalOutputAdded(chunk) = event {
                chunk.id = ids.next().unwrap().into();
            }
        }
        let output_id = OutputId::from(one);
        for (sequence_number, id) in [(0, "d"), (1, if one == other { "d" } else { "e" })] {
            let (id, delta, output_id) = (id.into(), "!".to_owned(), output_id.clone());
            events.push(TerminalOutputAppended { id, output_id, delta, sequence_number }.into());
        }
        canonical(&events).outputs[0]["text"].clone()
    };
    assert_eq!(with_ids("1", "2"), "a!!b");
    assert_eq!(with_ids("1", "1"), "b!");
}

/// A text that shows otherwise: its last printable character is another one.
fn changed(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = characters.iter().rposition(char::is_ascii_lowercase);
    match at {
        // Within an address any digit may differ; what follows the number must not.
        _ if text.starts_with("<Plot at 0x") => format!("{text}?"),
        Some(at) if !text.contains('\u{1b}') => {
            characters[at] = if characters[at] == 'q' { 'w' } else { 'q' };
            characters.into_iter().collect()
        }
        _ => format!("{text}?"),
    }
}

/// One change that somebody could see, by name; none where there is nothing of that kind to change.
fn mutated(outputs: &[Output], how: usize, at: Index) -> Option<(&'static str, Vec<Event>)> {
    // Without the output that a waiting clear waits for, what was there before stays, and may look the same.
    if outputs.iter().any(|output| matches!(output, Output::Clear { wait: true })) {
        return None;
    }
    let mut outputs = outputs.to_vec();
    let is_last_clear = outputs.iter().rposition(|output| matches!(output, Output::Clear { .. }));
    let visible = is_last_clear.map_or(0, |at| at + 1);
    if visible == outputs.len() {
        return None;
    }
    let place = visible + at.index(outputs.len() - visible);
    match how {
        0 => {
            match &mut outputs[place] {
                Output::Stream(_, text) | Output::Error(text) => *text = changed(text),
                Output::Result(bundle) | Output::Display(bundle) => {
                    let text = bundle[0].1.as_str().unwrap();
                    bundle[0].1 = changed(text).into();
                }
                Output::Clear { .. } => return None,
            }
            Some(("a character", told(&outputs, 1)))
        }
        1 => {
            outputs.remove(place);
            Some(("an output dropped", told(&outputs, 1)))
        }
        2 => {
            let again = outputs[place].clone();
            outputs.insert(place, again);
            Some(("an output doubled", told(&outputs, 1)))
        }
        3 => {
            let (Output::Result(bundle) | Output::Display(bundle)) = &mut outputs[place] else { return None };
            let n = bundle[2].1["n"].as_i64().unwrap();
            bundle[2].1["n"] = (n + 1).into();
            Some(("a number in its last digit", told(&outputs, 1)))
        }
        4 => {
            let mut events = told(&outputs, 1);
            let Some(Event::ExecutionCompleted(completed)) = events.last_mut() else { return None };
            completed.status = ExecutionStatus::Error;
            Some(("the end", events))
        }
        5 => {
            let mut events = told(&outputs, 1);
            events.pop();
            Some(("no end", events))
        }
        _ => {
            let Output::Stream(stream, _) = &mut outputs[place] else { return None };
            *stream = if *stream == StreamName::Stdout { StreamName::Stderr } else { StreamName::Stdout };
            Some(("the other stream", told(&outputs, 1)))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_somebody_could_see_is_a_difference(outputs in outputs(&lasting_text()), how in 0..7usize, at in any::<Index>()) {
        if let Some((what, events)) = mutated(&outputs, how, at) {
            prop_assert_ne!(canonical(&told(&outputs, 1)), canonical(&events), "{}", what);
        }
    }
}
