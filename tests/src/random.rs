//! Random events that a host's LiveStore takes: of every kind, in any order, about few ids so that they meet.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

/// An event as its name and arguments.
pub type Parts = (String, Value);

/// The transactions of one notebook.
///
/// A database refuses a second delta of one id together with its whole transaction, so of such only the first is kept; and it
/// refuses a fraction of a count or of a duration.
pub fn batches() -> impl Strategy<Value = Vec<Vec<Parts>>> {
    prop::collection::vec(prop::collection::vec(event(), 1..9), 4..12).prop_map(with_unique_deltas)
}

/// Any event of the schema. It is boxed, as its parts are: in one piece they would not fit the stack of a test's thread.
pub fn event() -> BoxedStrategy<Parts> {
    // Weighted by how much the tables depend on the order of such events.
    prop_oneof![3 => cells(), 5 => executions(), 6 => outputs(), 2 => sessions(), 1 => people()].boxed()
}

fn with_unique_deltas(mut batches: Vec<Vec<Parts>>) -> Vec<Vec<Parts>> {
    let mut seen = HashSet::new();
    for batch in &mut batches {
        batch.retain(|(_, args)| args.get("delta").is_none() || seen.insert(args["id"].to_string()));
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// Arguments, without the optional fields that were not drawn: hosts refuse null.
fn parts(name: &str, mut args: Value) -> Parts {
    if let Value::Object(fields) = &mut args {
        fields.retain(|_, value| !value.is_null());
    }
    (name.to_owned(), args)
}

fn id(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..4u8).prop_map(move |number| format!("{prefix}{number}"))
}

fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::of(strategy)
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn date() -> impl Strategy<Value = &'static str> {
    words(&["2023-11-14T22:13:20.000Z", "2024-02-29T00:00:00.001Z", "0001-01-01T00:00:00.000Z", "2024-02-29T12:00:00Z"])
}

/// A number with which JavaScript and Rust might part: fractions, huge and tiny ones, negative zero.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..9i64).prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        (-9e5..9e5f64).prop_map(Value::from),
        Just(json!(2.0)),
        Just(json!(-0.0)),
    ]
}

/// A place of the first version, as far as notebooks go.
fn position() -> impl Strategy<Value = Value> {
    prop_oneof![(-3..99i64).prop_map(Value::from), (-9e5..9e5f64).prop_map(Value::from), Just(json!(2.0))]
}

/// Any text that LiveStore gives back: it writes none beyond a NUL, and reads none of a byte order mark in front.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z <>&\n]{0,12}", ".{0,9}", Just("%_'\"\\; --\u{1f600}\r\n\u{2028}".to_owned())]
        .prop_map(|text| text.replace(['\0', '\u{feff}'], ""))
}

fn json_value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        number(),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..4).prop_map(Value::from_iter),
        ]
    })
    .boxed()
}

fn container() -> BoxedStrategy<Value> {
    let metadata = || maybe(prop::collection::vec(("[a-z]{1,4}", json_value()), 0..3).prop_map(Value::from_iter));
    let artifact = |(id, metadata)| parts("", json!({ "type": "artifact", "artifactId": id, "metadata": metadata })).1;
    let inline = |(data, metadata): (Value, Option<Value>)| {
        let mut container = json!({ "type": "inline", "data": data });
        metadata.into_iter().for_each(|metadata| container["metadata"] = metadata);
        container
    };
    prop_oneof![
        4 => (prop_oneof![text().prop_map(Value::from), json_value()], metadata()).prop_map(inline),
        1 => (id("artifact"), metadata()).prop_map(artifact),
    ]
    .boxed()
}

/// Known types and unknown ones, or none at all.
fn representations() -> BoxedStrategy<Value> {
    let mime = words(&[
        "application/vnd.plotly.v1+json",
        "application/vnd.vegalite.v5+json",
        "application/json",
        "application/x-unknown",
        "image/png",
        "image/svg+xml",
        "text/html",
        "text/latex",
        "text/markdown",
        "text/plain",
        "x",
    ]);
    prop::collection::vec((mime.prop_map(str::to_owned), container()), 0..4).prop_map(Value::from_iter).boxed()
}

fn cells() -> BoxedStrategy<Parts> {
    prop_oneof![3 => born_and_moved(), 2 => configured()].boxed()
}

fn cell_type() -> impl Strategy<Value = &'static str> {
    words(&["code", "markdown", "sql", "raw", "ai"])
}

fn born_and_moved() -> BoxedStrategy<Parts> {
    prop_oneof![
        (id("c"), "[a-z]{1,3}", cell_type(), id("u")).prop_map(|(cell, index, kind, user)| parts(
            "v2.CellCreated",
            json!({ "id": cell, "fractionalIndex": index, "cellType": kind, "createdBy": user })
        )),
        (id("c"), position(), cell_type(), id("u"), maybe(id("u"))).prop_map(|(cell, position, kind, user, actor)| {
            parts(
                "v1.CellCreated",
                json!({ "id": cell, "position": position, "cellType": kind, "createdBy": user, "actorId": actor }),
            )
        }),
        (id("c"), text(), id("u")).prop_map(|(cell, source, user)| parts(
            "v1.CellSourceChanged",
            json!({ "id": cell, "source": source, "modifiedBy": user })
        )),
        (id("c"), cell_type(), maybe(id("u"))).prop_map(|(cell, kind, actor)| parts(
            "v1.CellTypeChanged",
            json!({ "id": cell, "cellType": kind, "actorId": actor })
        )),
        (id("c"), position(), maybe(id("u"))).prop_map(|(cell, position, actor)| parts(
            "v1.CellMoved",
            json!({ "id": cell, "newPosition": position, "actorId": actor })
        )),
        (id("c"), "[a-z]{1,3}", maybe(id("u"))).prop_map(|(cell, index, actor)| parts(
            "v2.CellMoved",
            json!({ "id": cell, "fractionalIndex": index, "actorId": actor })
        )),
        (id("c"), maybe(id("u")))
            .prop_map(|(cell, actor)| parts("v1.CellDeleted", json!({ "id": cell, "actorId": actor }))),
    ]
    .boxed()
}

fn configured() -> BoxedStrategy<Parts> {
    let toggled = |event: &'static str, field: &'static str| {
        (id("c"), any::<bool>(), maybe(id("u")))
            .prop_map(move |(cell, shows, actor)| parts(event, json!({ "id": cell, field: shows, "actorId": actor })))
    };
    let settings = (maybe(number()), maybe(1..9000i64), maybe(text())).prop_map(|(temperature, tokens, prompt)| {
        parts("", json!({ "temperature": temperature, "maxTokens": tokens, "systemPrompt": prompt })).1
    });
    prop_oneof![
        toggled("v1.CellSourceVisibilityToggled", "sourceVisible"),
        toggled("v1.CellOutputVisibilityToggled", "outputVisible"),
        toggled("v1.CellAiContextVisibilityToggled", "aiContextVisible"),
        (id("c"), text(), settings).prop_map(|(cell, model, settings)| parts(
            "v1.AiSettingsChanged",
            json!({ "cellId": cell, "provider": "local", "model": model, "settings": settings })
        )),
        (id("c"), maybe(text()), id("u")).prop_map(|(cell, connection, user)| parts(
            "v1.SqlConnectionChanged",
            json!({ "cellId": cell, "connectionId": connection, "changedBy": user })
        )),
        (id("c"), maybe(text()), id("u")).prop_map(|(cell, variable, user)| parts(
            "v1.SqlResultVariableChanged",
            json!({ "cellId": cell, "resultVariable": variable, "changedBy": user })
        )),
    ]
    .boxed()
}

fn executions() -> BoxedStrategy<Parts> {
    prop_oneof![
        (id("q"), id("c"), -1..9i64, id("u"), maybe(id("u"))).prop_map(|(entry, cell, count, user, actor)| parts(
            "v1.ExecutionRequested",
            json!({ "queueId": entry, "cellId": cell, "executionCount": count, "requestedBy": user, "actorId": actor })
        )),
        (id("q"), id("s")).prop_map(|(entry, session)| parts(
            "v1.ExecutionAssigned",
            json!({ "queueId": entry, "runtimeSessionId": session })
        )),
        (id("q"), id("c"), id("s"), date()).prop_map(|(entry, cell, session, at)| parts(
            "v1.ExecutionStarted",
            json!({ "queueId": entry, "cellId": cell, "runtimeSessionId": session, "startedAt": at })
        )),
        (id("q"), id("c"), words(&["success", "error", "cancelled"]), maybe(text()), date(), 0..90_000i64).prop_map(
            |(entry, cell, status, error, at, duration)| parts(
                "v1.ExecutionCompleted",
                json!({ "queueId": entry, "cellId": cell, "status": status, "error": error, "completedAt": at,
                    "executionDurationMs": duration })
            )
        ),
        (id("q"), id("c"), id("u"), maybe(id("u"))).prop_map(|(entry, cell, user, actor)| parts(
            "v1.ExecutionCancelled",
            json!({ "queueId": entry, "cellId": cell, "cancelledBy": user, "actorId": actor, "reason": "r" })
        )),
    ]
    .boxed()
}

fn outputs() -> BoxedStrategy<Parts> {
    prop_oneof![3 => rich_outputs(), 3 => texts(), 1 => appended(), 2 => cleared()].boxed()
}

fn rich_outputs() -> BoxedStrategy<Parts> {
    prop_oneof![
        (id("o"), id("c"), number(), representations(), maybe(id("d"))).prop_map(|(output, cell, position, all, name)| {
            parts(
                "v1.MultimediaDisplayOutputAdded",
                json!({ "id": output, "cellId": cell, "position": position, "representations": all, "displayId": name }),
            )
        }),
        (id("d"), representations()).prop_map(|(name, all)| parts(
            "v1.MultimediaDisplayOutputUpdated",
            json!({ "displayId": name, "representations": all })
        )),
        (id("o"), id("c"), number(), representations(), 1..9i64).prop_map(|(output, cell, position, all, count)| parts(
            "v1.MultimediaResultOutputAdded",
            json!({ "id": output, "cellId": cell, "position": position, "representations": all,
                "executionCount": count })
        )),
    ].boxed()
}

fn texts() -> BoxedStrategy<Parts> {
    let added = |name: &'static str| {
        (id("o"), id("c"), number(), container()).prop_map(move |(output, cell, position, content)| {
            parts(name, json!({ "id": output, "cellId": cell, "position": position, "content": content }))
        })
    };
    let terminal =
        (added("v1.TerminalOutputAdded"), words(&["stdout", "stderr"])).prop_map(|((name, args), stream)| {
            let mut args = args;
            args["streamName"] = stream.into();
            (name, args)
        });
    prop_oneof![terminal, added("v1.MarkdownOutputAdded"), added("v1.ErrorOutputAdded")].boxed()
}

fn appended() -> BoxedStrategy<Parts> {
    let content = |name: &'static str| {
        (id("o"), container())
            .prop_map(move |(output, content)| parts(name, json!({ "outputId": output, "content": content })))
    };
    let delta = |name: &'static str| {
        ("x[0-9]{3}", id("o"), text(), 0..9i64).prop_map(move |(delta, output, text, number)| {
            parts(name, json!({ "id": delta, "outputId": output, "delta": text, "sequenceNumber": number }))
        })
    };
    prop_oneof![
        content("v1.TerminalOutputAppended"),
        content("v1.MarkdownOutputAppended"),
        delta("v2.TerminalOutputAppended"),
        delta("v2.MarkdownOutputAppended"),
    ]
    .boxed()
}

fn cleared() -> BoxedStrategy<Parts> {
    (id("c"), any::<bool>(), id("u"))
        .prop_map(|(cell, wait, user)| {
            parts("v1.CellOutputsCleared", json!({ "cellId": cell, "wait": wait, "clearedBy": user }))
        })
        .boxed()
}

fn sessions() -> BoxedStrategy<Parts> {
    let models = maybe(prop::collection::vec(json_value(), 0..3));
    let capabilities =
        (any::<bool>(), any::<bool>(), models, maybe(json_value())).prop_map(|(sql, ai, models, extra)| {
            let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": sql, "canExecuteAi": ai,
            "availableAiModels": models, "supportedLanguages": extra });
            parts("", capabilities).1
        });
    prop_oneof![
        (id("s"), words(&["html", "python3"]), capabilities).prop_map(|(session, kind, capabilities)| parts(
            "v1.RuntimeSessionStarted",
            json!({ "sessionId": session, "runtimeId": "r", "runtimeType": kind, "capabilities": capabilities })
        )),
        (id("s"), words(&["ready", "busy", "restarting"])).prop_map(|(session, status)| parts(
            "v1.RuntimeSessionStatusChanged",
            json!({ "sessionId": session, "status": status })
        )),
        (id("s"), words(&["shutdown", "restart", "error", "timeout", "displaced"])).prop_map(
            |(session, reason)| parts("v1.RuntimeSessionTerminated", json!({ "sessionId": session, "reason": reason }))
        ),
        (id("s"), date()).prop_map(|(session, at)| parts(
            "v1.RuntimeSessionRenewal",
            json!({ "sessionId": session, "renewedAt": at, "validForMs": 30_000 })
        )),
    ]
    .boxed()
}

fn people() -> BoxedStrategy<Parts> {
    prop_oneof![
        (id("u"), maybe(id("c")))
            .prop_map(|(user, cell)| parts("v1.PresenceSet", json!({ "userId": user, "cellId": cell }))),
        (text(), id("u")).prop_map(|(title, owner)| parts(
            "v1.NotebookInitialized",
            json!({ "id": "n", "title": title, "ownerId": owner })
        )),
        text().prop_map(|title| parts("v1.NotebookTitleChanged", json!({ "title": title }))),
        (id("k"), text())
            .prop_map(|(key, value)| parts("v1.NotebookMetadataSet", json!({ "key": key, "value": value }))),
        (id("u"), words(&["human", "runtime_agent"]), text(), maybe(text())).prop_map(|(user, kind, name, avatar)| {
            parts("v1.ActorProfileSet", json!({ "id": user, "type": kind, "displayName": name, "avatar": avatar }))
        }),
        (id("t"), id("c"), json_value(), date()).prop_map(|(call, cell, argument, at)| parts(
            "v1.ToolApprovalRequested",
            json!({ "toolCallId": call, "cellId": cell, "toolName": "t", "arguments": { "x": argument },
                "requestedAt": at })
        )),
        (id("t"), words(&["approved_once", "approved_always", "denied"]), id("u"), date()).prop_map(
            |(call, status, user, at)| parts(
                "v1.ToolApprovalResponded",
                json!({ "toolCallId": call, "status": status, "approvedBy": user, "respondedAt": at })
            )
        ),
    ]
    .boxed()
}
