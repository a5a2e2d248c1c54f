use serde_json::json;

use super::*;

/// One event of every name, as a host encodes it: with every optional field, in the order of the contract.
const FULL: &str = r#"
{"name":"v1.NotebookInitialized","args":{"id":"nb","title":"T","ownerId":"u"}}
{"name":"v1.NotebookTitleChanged","args":{"title":"T2"}}
{"name":"v1.NotebookMetadataSet","args":{"key":"k","value":"v"}}
{"name":"v1.CellCreated","args":{"id":"c","cellType":"code","position":1.5,"createdBy":"u","actorId":"a"}}
{"name":"v2.CellCreated","args":{"id":"c","fractionalIndex":"a0","cellType":"ai","createdBy":"u"}}
{"name":"v1.CellSourceChanged","args":{"id":"c","source":"s","modifiedBy":"u"}}
{"name":"v1.CellTypeChanged","args":{"id":"c","cellType":"sql","actorId":"a"}}
{"name":"v1.CellDeleted","args":{"id":"c","actorId":"a"}}
{"name":"v1.CellMoved","args":{"id":"c","newPosition":2,"actorId":"a"}}
{"name":"v2.CellMoved","args":{"id":"c","fractionalIndex":"b1","actorId":"a"}}
{"name":"v1.CellSourceVisibilityToggled","args":{"id":"c","sourceVisible":false,"actorId":"a"}}
{"name":"v1.CellOutputVisibilityToggled","args":{"id":"c","outputVisible":false,"actorId":"a"}}
{"name":"v1.CellAiContextVisibilityToggled","args":{"id":"c","aiContextVisible":false,"actorId":"a"}}
{"name":"v1.PresenceSet","args":{"userId":"u","cellId":"c"}}
{"name":"v1.RuntimeSessionStarted","args":{"sessionId":"s","runtimeId":"r","runtimeType":"html","capabilities":{"canExecuteCode":true,"canExecuteSql":false,"canExecuteAi":false,"availableAiModels":[{"name":"m"}],"supportedLanguages":["html"]}}}
{"name":"v1.RuntimeSessionStatusChanged","args":{"sessionId":"s","status":"busy"}}
{"name":"v1.RuntimeSessionTerminated","args":{"sessionId":"s","reason":"displaced"}}
{"name":"v1.ExecutionRequested","args":{"queueId":"q","cellId":"c","executionCount":3,"requestedBy":"u","actorId":"a"}}
{"name":"v1.ExecutionAssigned","args":{"queueId":"q","runtimeSessionId":"s"}}
{"name":"v1.ExecutionStarted","args":{"queueId":"q","cellId":"c","runtimeSessionId":"s","startedAt":"2023-11-14T22:13:20.000Z"}}
{"name":"v1.ExecutionCompleted","args":{"queueId":"q","cellId":"c","status":"error","error":"boom","completedAt":"2023-11-14T22:13:20.001Z","executionDurationMs":1.25}}
{"name":"v1.ExecutionCancelled","args":{"queueId":"q","cellId":"c","cancelledBy":"u","actorId":"a","reason":"user requested"}}
{"name":"v1.MultimediaDisplayOutputAdded","args":{"id":"o","cellId":"c","position":0,"representations":{"text/plain":{"type":"inline","data":"p"},"application/json":{"type":"inline","data":{"b":1,"a":[null,1e+21]},"metadata":{}},"image/png":{"type":"artifact","artifactId":"x","metadata":{"width":1}}},"displayId":"d"}}
{"name":"v1.MultimediaDisplayOutputUpdated","args":{"displayId":"d","representations":{}}}
{"name":"v1.MultimediaResultOutputAdded","args":{"id":"o","cellId":"c","position":0,"representations":{"text/html":{"type":"inline","data":"<b>"}},"executionCount":3}}
{"name":"v1.TerminalOutputAdded","args":{"id":"o","cellId":"c","position":0,"content":{"type":"inline","data":"x"},"streamName":"stderr"}}
{"name":"v1.TerminalOutputAppended","args":{"outputId":"o","content":{"type":"inline","data":"y"}}}
{"name":"v2.TerminalOutputAppended","args":{"id":"d1","outputId":"o","delta":".","sequenceNumber":0}}
{"name":"v1.MarkdownOutputAdded","args":{"id":"o","cellId":"c","position":0,"content":{"type":"inline","data":"x","metadata":{"ai":true}}}}
{"name":"v1.MarkdownOutputAppended","args":{"outputId":"o","content":{"type":"artifact","artifactId":"x"}}}
{"name":"v2.MarkdownOutputAppended","args":{"id":"d1","outputId":"o","delta":".","sequenceNumber":7}}
{"name":"v1.ErrorOutputAdded","args":{"id":"o","cellId":"c","position":0,"content":{"type":"inline","data":{"ename":"E","evalue":"v","traceback":[]}}}}
{"name":"v1.CellOutputsCleared","args":{"cellId":"c","wait":true,"clearedBy":"u"}}
{"name":"v1.AiSettingsChanged","args":{"cellId":"c","provider":"openai","model":"m","settings":{"temperature":0.5,"maxTokens":10,"systemPrompt":"be brief"}}}
{"name":"v1.SqlConnectionChanged","args":{"cellId":"c","connectionId":"k","changedBy":"u"}}
{"name":"v1.SqlResultVariableChanged","args":{"cellId":"c","resultVariable":"df","changedBy":"u"}}
{"name":"v1.ActorProfileSet","args":{"id":"a","type":"runtime_agent","displayName":"A","avatar":"url"}}
{"name":"v1.ToolApprovalRequested","args":{"toolCallId":"t","cellId":"c","toolName":"rm","arguments":{"z":1,"a":2},"requestedAt":"2023-11-14T22:13:20.000Z"}}
{"name":"v1.ToolApprovalResponded","args":{"toolCallId":"t","status":"approved_always","approvedBy":"u","respondedAt":"2023-11-14T22:13:20.000Z"}}
{"name":"v1.RuntimeSessionRenewal","args":{"sessionId":"s","renewedAt":"2023-11-14T22:13:20.000Z","validForMs":60000}}
"#;

/// The fields that an event may lack.
const OPTIONAL: &[&str] = &[
    "actorId",
    "cellId",
    "availableAiModels",
    "supportedLanguages",
    "error",
    "displayId",
    "metadata",
    "temperature",
    "maxTokens",
    "systemPrompt",
    "connectionId",
    "resultVariable",
    "avatar",
];

fn events() -> impl Iterator<Item = &'static str> {
    FULL.lines().filter(|line| !line.is_empty())
}

fn check(text: &str) {
    let event = Event::from_json(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(serde_json::to_string(&event).unwrap(), text);
    assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
}

fn check_error(text: &str, message: &str) {
    let error = Event::from_json(text).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(!error.hint().is_empty());
}

fn without_optional(value: &mut Value, required: &[&str]) {
    let Value::Object(fields) = value else { return };
    fields.retain(|name, _| required.contains(&name.as_str()) || !OPTIONAL.contains(&name.as_str()));
    fields.values_mut().for_each(|field| without_optional(field, required));
}

#[test]
fn every_event_comes_out_as_it_went_in() {
    let mut seen = Vec::new();
    for text in events() {
        check(text);
        let event = Event::from_json(text).unwrap();
        assert!(!matches!(event, Event::Unknown { .. }), "{text}");
        seen.push(event.name().to_owned());
    }
    assert_eq!(seen, Event::NAMES);
}

#[test]
fn an_optional_field_that_is_unset_is_absent() {
    for text in events() {
        let mut value: Value = serde_json::from_str(text).unwrap();
        let name = value["name"].as_str().unwrap().to_owned();
        let required: &[&str] = match name.as_str() {
            "v1.PresenceSet" => &[],
            "v1.MultimediaDisplayOutputUpdated" => &["displayId"],
            _ => &["cellId"],
        };
        without_optional(&mut value, required);
        check(&value.to_string());
    }
}

#[test]
fn a_null_reads_as_absent_and_a_stray_argument_is_dropped() {
    let text = r#"{"name":"v1.CellDeleted","args":{"id":"c","actorId":null,"colour":"red"}}"#;
    let event = Event::from_json(text).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"name":"v1.CellDeleted","args":{"id":"c"}}"#);
}

#[test]
fn an_integral_float_is_written_as_javascript_writes_it() {
    let text = r#"{"name":"v1.CellMoved","args":{"id":"c","newPosition":2.0}}"#;
    let event = Event::from_json(text).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"name":"v1.CellMoved","args":{"id":"c","newPosition":2}}"#);
}

#[test]
fn an_unknown_event_is_kept_verbatim() {
    check(r#"{"name":"v3.CellCreated","args":{"z":[1,null],"a":{"c1":1.0}}}"#);
    check(r#"{"name":"local.Cursor","args":null}"#);
    let event = Event::from_parts("v9.New", json!({ "cellId": "c", "queueId": "q" })).unwrap();
    assert_eq!((event.name(), event.cell_id(), event.queue_id()), ("v9.New", None, None));
}

#[test]
fn an_error_names_the_event_and_the_field() {
    check_error(
        r#"{"name":"v1.ExecutionAssigned","args":{"queueId":"q"}}"#,
        "bad arguments of `v1.ExecutionAssigned` at `args`: missing field `runtimeSessionId`",
    );
    check_error(
        r#"{"name":"v1.CellTypeChanged","args":{"id":"c","cellType":"poem"}}"#,
        "bad arguments of `v1.CellTypeChanged` at `cellType`: \
         unknown variant `poem`, expected one of `code`, `markdown`, `sql`, `raw`, `ai`",
    );
    check_error(
        r#"{"name":"v1.ExecutionStarted","args":{"queueId":"q","cellId":"c","runtimeSessionId":"s","startedAt":"now"}}"#,
        "bad arguments of `v1.ExecutionStarted` at `startedAt`: not an RFC 3339 date \
         (the 'year' component could not be parsed): `now`",
    );
    check_error(
        r#"{"name":"v1.MultimediaDisplayOutputUpdated","args":{"displayId":"d","representations":{"text/html":{"type":"inline"}}}}"#,
        "bad arguments of `v1.MultimediaDisplayOutputUpdated` at `representations.text/html`: missing field `data`",
    );
}

#[test]
fn a_text_that_is_no_event_is_a_shape_error() {
    let error = Event::from_json(r#"{"args":{}}"#).unwrap_err();
    assert_eq!(error.code(), "event_shape");
    assert!(error.to_string().starts_with("not an event: missing field `name`"), "{error}");
    assert_eq!(Event::from_json(r#"{"name":"v1.CellDeleted","args":{}}"#).unwrap_err().code(), "event_args");
}

#[test]
fn an_event_knows_its_cell_and_its_queue_entry() {
    for text in events() {
        let event = Event::from_json(text).unwrap();
        let args = &serde_json::from_str::<Value>(text).unwrap()["args"];
        assert_eq!(event.queue_id().map(QueueId::as_str), args["queueId"].as_str(), "{text}");
        let is_about_a_cell = event.name().contains(".Cell") && event.name() != "v1.CellOutputsCleared";
        let cell = if is_about_a_cell { &args["id"] } else { &args["cellId"] };
        assert_eq!(event.cell_id().map(CellId::as_str), cell.as_str(), "{text}");
    }
}
