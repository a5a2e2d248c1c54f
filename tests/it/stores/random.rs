//! After any events in any batches, do both stores hold the same log and the same tables, also after reopening the file?

use bridge_host::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};
use tests::append::at;

use super::{File, Memory, Place, event, log, replayed};

/// Few ids, so that events meet.
fn id(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..4u8).prop_map(move |number| format!("{prefix}{number}"))
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn date() -> impl Strategy<Value = &'static str> {
    words(&["2023-11-14T22:13:20.000Z", "2024-02-29T00:00:00.001Z", "0001-01-01T00:00:00.000Z"])
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![(0..9i64).prop_map(Value::from), prop::num::f64::NORMAL.prop_map(Value::from), Just(json!(2.0))]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn container() -> impl Strategy<Value = Value> {
    prop_oneof![
        json_value().prop_map(|data| json!({ "type": "inline", "data": data })),
        (".{0,9}", json_value())
            .prop_map(|(data, size)| json!({ "type": "inline", "data": data, "metadata": { "size": size } })),
        id("artifact").prop_map(|id| json!({ "type": "artifact", "artifactId": id })),
    ]
}

type Parts = (String, Value);

fn parts(name: &str, args: Value) -> Parts {
    (name.to_owned(), args)
}

fn cells() -> impl Strategy<Value = Parts> {
    let kinds = || words(&["code", "markdown", "sql", "raw", "ai"]);
    prop_oneof![
        (id("c"), "[a-z]{1,3}", kinds(), id("u")).prop_map(|(cell, index, kind, user)| parts(
            "v2.CellCreated",
            json!({ "id": cell, "fractionalIndex": index, "cellType": kind, "createdBy": user })
        )),
        (id("c"), number(), kinds(), id("u")).prop_map(|(cell, position, kind, user)| parts(
            "v1.CellCreated",
            json!({ "id": cell, "position": position, "cellType": kind, "createdBy": user })
        )),
        (id("c"), ".*", id("u")).prop_map(|(cell, source, user)| parts(
            "v1.CellSourceChanged",
            json!({ "id": cell, "source": source, "modifiedBy": user })
        )),
        (id("c"), kinds(), id("u")).prop_map(|(cell, kind, user)| parts(
            "v1.CellTypeChanged",
            json!({ "id": cell, "cellType": kind, "actorId": user })
        )),
        (id("c"), "[a-z]{1,3}")
            .prop_map(|(cell, index)| parts("v2.CellMoved", json!({ "id": cell, "fractionalIndex": index }))),
        id("c").prop_map(|cell| parts("v1.CellDeleted", json!({ "id": cell }))),
        (id("c"), number(), ".{0,9}").prop_map(|(cell, temperature, prompt)| parts(
            "v1.AiSettingsChanged",
            json!({ "cellId": cell, "provider": "local", "model": "m",
                "settings": { "temperature": temperature, "systemPrompt": prompt } })
        )),
    ]
}

fn executions() -> impl Strategy<Value = Parts> {
    prop_oneof![
        (id("q"), id("c"), 1..9i64, id("u")).prop_map(|(entry, cell, count, user)| parts(
            "v1.ExecutionRequested",
            json!({ "queueId": entry, "cellId": cell, "executionCount": count, "requestedBy": user })
        )),
        (id("q"), id("s")).prop_map(|(entry, session)| parts(
            "v1.ExecutionAssigned",
            json!({ "queueId": entry, "runtimeSessionId": session })
        )),
        (id("q"), id("c"), id("s"), date()).prop_map(|(entry, cell, session, at)| parts(
            "v1.ExecutionStarted",
            json!({ "queueId": entry, "cellId": cell, "runtimeSessionId": session, "startedAt": at })
        )),
        (id("q"), id("c"), words(&["success", "error", "cancelled"]), date(), number()).prop_map(
            |(entry, cell, status, at, duration)| parts(
                "v1.ExecutionCompleted",
                json!({ "queueId": entry, "cellId": cell, "status": status, "error": "e", "completedAt": at,
                    "executionDurationMs": duration })
            )
        ),
        (id("q"), id("c"), id("u")).prop_map(|(entry, cell, user)| parts(
            "v1.ExecutionCancelled",
            json!({ "queueId": entry, "cellId": cell, "cancelledBy": user, "reason": "r" })
        )),
    ]
}

fn outputs() -> impl Strategy<Value = Parts> {
    prop_oneof![
        (id("o"), id("c"), number(), container(), id("d")).prop_map(|(output, cell, position, container, display)| {
            parts(
                "v1.MultimediaDisplayOutputAdded",
                json!({ "id": output, "cellId": cell, "position": position, "displayId": display,
                "representations": { "text/html": container, "text/plain": { "type": "inline", "data": "x" } } }),
            )
        }),
        (id("d"), container()).prop_map(|(display, container)| parts(
            "v1.MultimediaDisplayOutputUpdated",
            json!({ "displayId": display, "representations": { "application/json": container } })
        )),
        (id("o"), id("c"), number(), container()).prop_map(|(output, cell, position, content)| parts(
            "v1.TerminalOutputAdded",
            json!({ "id": output, "cellId": cell, "position": position, "content": content, "streamName": "stderr" })
        )),
        (id("x"), id("o"), ".*", 0..9i64).prop_map(|(delta, output, text, number)| parts(
            "v2.TerminalOutputAppended",
            json!({ "id": delta, "outputId": output, "delta": text, "sequenceNumber": number })
        )),
        (id("o"), container()).prop_map(|(output, content)| parts(
            "v1.MarkdownOutputAppended",
            json!({ "outputId": output, "content": content })
        )),
        (id("o"), id("c"), number(), container()).prop_map(|(output, cell, position, content)| parts(
            "v1.ErrorOutputAdded",
            json!({ "id": output, "cellId": cell, "position": position, "content": content })
        )),
        (id("c"), any::<bool>(), id("u")).prop_map(|(cell, wait, user)| parts(
            "v1.CellOutputsCleared",
            json!({ "cellId": cell, "wait": wait, "clearedBy": user })
        )),
    ]
}

fn sessions_and_people() -> impl Strategy<Value = Parts> {
    prop_oneof![
        (id("s"), any::<bool>(), json_value()).prop_map(|(session, sql, extra)| parts(
            "v1.RuntimeSessionStarted",
            json!({ "sessionId": session, "runtimeId": "r", "runtimeType": "html", "capabilities":
                { "canExecuteCode": true, "canExecuteSql": sql, "canExecuteAi": false, "availableAiModels": [extra],
                    "supportedLanguages": extra } })
        )),
        (id("s"), words(&["ready", "busy", "restarting"])).prop_map(|(session, status)| parts(
            "v1.RuntimeSessionStatusChanged",
            json!({ "sessionId": session, "status": status })
        )),
        (id("s"), words(&["shutdown", "displaced"])).prop_map(|(session, reason)| parts(
            "v1.RuntimeSessionTerminated",
            json!({ "sessionId": session, "reason": reason })
        )),
        (id("u"), prop::option::of(id("c")))
            .prop_map(|(user, cell)| parts("v1.PresenceSet", json!({ "userId": user, "cellId": cell }))),
        (id("k"), ".*").prop_map(|(key, value)| parts("v1.NotebookMetadataSet", json!({ "key": key, "value": value }))),
        (id("u"), ".{0,9}").prop_map(|(user, name)| parts(
            "v1.ActorProfileSet",
            json!({ "id": user, "type": "human", "displayName": name })
        )),
        (id("t"), id("c"), json_value(), date()).prop_map(|(call, cell, arguments, at)| parts(
            "v1.ToolApprovalRequested",
            json!({ "toolCallId": call, "cellId": cell, "toolName": "t", "arguments": arguments, "requestedAt": at })
        )),
        ("v[3-9]\\.[A-Z][a-z]{0,8}", json_value()),
    ]
}

fn batches() -> impl Strategy<Value = Vec<Vec<Parts>>> {
    let event = prop_oneof![cells(), executions(), outputs(), sessions_and_people()];
    prop::collection::vec(prop::collection::vec(event, 0..12), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_reopened_file_equals_memory_after_any_events(batches in batches()) {
        let (file, mut memory) = (File::new(), Memory::new().store());
        let mut store = file.store();
        for (number, batch) in batches.into_iter().enumerate() {
            let events: Vec<_> = batch.into_iter().map(|(name, args)| event(&name, args)).collect();
            let next = memory.next_seq();
            prop_assert_eq!(store.append(next, at(), &events), memory.append(next, at(), &events));
            prop_assert_eq!(store.state(), memory.state(), "live");
            if number % 2 == 1 {
                store = file.store();
            }
        }
        drop(store);
        let store = file.store();
        prop_assert_eq!(log(&store), log(&memory));
        prop_assert_eq!(store.state(), memory.state(), "reopened");
        prop_assert_eq!(&replayed(&log(&store)), memory.state(), "replayed");
    }
}
