use serde_json::{Value, json};

use super::*;
use crate::event::{ExecutionState, SessionStatus};

/// The state after these `(name, args)` events.
fn after(events: &[(&str, Value)]) -> NotebookState {
    let mut state = NotebookState::new();
    more(&mut state, events);
    state
}

fn more(state: &mut NotebookState, events: &[(&str, Value)]) {
    for (name, args) in events {
        state.apply(&Event::from_parts(name, args.clone()).unwrap());
    }
}

fn cell(id: &str) -> (&'static str, Value) {
    ("v2.CellCreated", json!({ "id": id, "fractionalIndex": "a0", "cellType": "code", "createdBy": "u" }))
}

fn requested(id: &str) -> (&'static str, Value) {
    ("v1.ExecutionRequested", json!({ "queueId": id, "cellId": "c", "executionCount": 1, "requestedBy": "u" }))
}

fn assigned(id: &str, session: &str) -> (&'static str, Value) {
    ("v1.ExecutionAssigned", json!({ "queueId": id, "runtimeSessionId": session }))
}

fn completed(id: &str, status: &str) -> (&'static str, Value) {
    let at = "2023-11-14T22:13:20.000Z";
    let args = json!({ "queueId": id, "cellId": "c", "status": status, "completedAt": at, "executionDurationMs": 5 });
    ("v1.ExecutionCompleted", args)
}

fn session(id: &str) -> (&'static str, Value) {
    let can = json!({ "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false, "supportsRestart": true });
    let args = json!({ "sessionId": id, "runtimeId": "r", "runtimeType": "html", "capabilities": can });
    ("v1.RuntimeSessionStarted", args)
}

fn terminal(id: &str, cell: &str, data: &Value) -> (&'static str, Value) {
    let content = json!({ "type": "inline", "data": data });
    let args = json!({ "id": id, "cellId": cell, "position": 0, "content": content, "streamName": "stdout" });
    ("v1.TerminalOutputAdded", args)
}

fn display(id: &str, cell: &str, name: &str, representations: &Value) -> (&'static str, Value) {
    let args =
        json!({ "id": id, "cellId": cell, "position": 0, "representations": representations, "displayId": name });
    ("v1.MultimediaDisplayOutputAdded", args)
}

fn cleared(cell: &str, wait: bool) -> (&'static str, Value) {
    ("v1.CellOutputsCleared", json!({ "cellId": cell, "wait": wait, "clearedBy": "u" }))
}

fn inline(mime: &str, data: &Value) -> Value {
    json!({ mime: { "type": "inline", "data": data } })
}

fn output_ids(state: &NotebookState) -> Vec<&str> {
    state.outputs().map(|row| row.id.as_str()).collect()
}

fn queue_ids<'a>(rows: impl Iterator<Item = &'a QueueRow>) -> Vec<&'a str> {
    rows.map(|row| row.id.as_str()).collect()
}

/// The `data` and `mimeType` of a display and of a result with these representations.
fn check_primary(representations: &Value, display_row: (&str, &str), result_row: (&str, &str)) {
    let result =
        json!({ "id": "r", "cellId": "c", "position": 0, "representations": representations, "executionCount": 1 });
    let state = after(&[display("d", "c", "", representations), ("v1.MultimediaResultOutputAdded", result)]);
    let seen: Vec<_> =
        state.outputs().map(|row| (row.data.as_deref().unwrap(), row.mime_type.as_deref().unwrap())).collect();
    assert_eq!(seen, [display_row, result_row], "{representations}");
}

#[test]
fn the_primary_representation_is_the_best_known_type() {
    let html_and_json = json!({
        "text/plain": { "type": "inline", "data": "p" },
        "application/json": { "type": "inline", "data": { "a": 1 } },
        "text/html": { "type": "inline", "data": "<b>" },
    });
    check_primary(&html_and_json, ("[object Object]", "application/json"), ("<b>", "text/html"));
    check_primary(&inline("text/markdown", &json!("# h")), ("# h", "text/markdown"), ("", "text/plain"));
    check_primary(&inline("model/gltf+json", &json!("x")), ("", "text/plain"), ("", "text/plain"));
    check_primary(&json!({}), ("", "text/plain"), ("", "text/plain"));
    let artifact = json!({ "image/png": { "type": "artifact", "artifactId": "x" } });
    check_primary(&artifact, ("", "image/png"), ("", "image/png"));
}

#[test]
fn primary_data_is_what_javascript_makes_of_it() {
    for (data, text) in [
        (json!(0), ""),
        (json!(false), ""),
        (json!(null), ""),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!([1, [2, null], {}]), "1,2,,[object Object]"),
    ] {
        check_primary(&inline("application/json", &data), (text, "application/json"), (text, "application/json"));
    }
}

#[test]
fn terminal_text_keeps_what_primary_data_loses() {
    let state = after(&[terminal("o", "c", &json!(null)), terminal("p", "c", &json!(0))]);
    let data: Vec<_> = state.outputs().map(|row| row.data.as_deref()).collect();
    assert_eq!(data, [Some("null"), Some("0")]);
}

#[test]
fn content_in_an_artifact_has_no_data() {
    let content = json!({ "type": "artifact", "artifactId": "x", "metadata": {} });
    let args = json!({ "id": "o", "cellId": "c", "position": 1, "content": content });
    let state = after(&[("v1.MarkdownOutputAdded", args)]);
    let row = state.outputs().next().unwrap();
    assert_eq!((row.data.as_deref(), row.artifact_id.as_deref()), (None, Some("x")));
    assert_eq!(row.metadata, Some(serde_json::Map::new()));
}

#[test]
fn an_error_output_keeps_its_json() {
    let content = json!({ "type": "inline", "data": { "ename": "E", "n": 1.0 } });
    let args = json!({ "id": "o", "cellId": "c", "position": 0, "content": content });
    let state = after(&[("v1.ErrorOutputAdded", args)]);
    let row = state.outputs().next().unwrap();
    assert_eq!(row.data.as_deref(), Some(r#"{"ename":"E","n":1}"#));
    assert_eq!(row.mime_type.as_deref(), Some("application/json"));
}

#[test]
fn a_replaced_output_moves_to_the_end() {
    let data = json!("x");
    let state = after(&[terminal("o", "c", &data), terminal("p", "c", &data), terminal("o", "c", &data)]);
    assert_eq!(output_ids(&state), ["p", "o"]);
}

#[test]
fn a_pending_clear_waits_for_the_next_output_of_its_cell() {
    let data = json!("x");
    let mut state = after(&[terminal("o", "c", &data), terminal("other", "c2", &data), cleared("c", true)]);
    assert_eq!(output_ids(&state), ["o", "other"]);
    more(&mut state, &[terminal("more", "c2", &data)]);
    assert_eq!(output_ids(&state), ["o", "other", "more"]);
    more(&mut state, &[terminal("new", "c", &data), terminal("newer", "c", &data)]);
    assert_eq!(output_ids(&state), ["other", "more", "new", "newer"]);
    assert_eq!(state.pending_clears().count(), 0);
}

#[test]
fn a_clear_now_leaves_other_cells_deltas_and_a_pending_clear() {
    let data = json!("x");
    let delta = json!({ "id": "d", "outputId": "o", "delta": ".", "sequenceNumber": 0 });
    let state = after(&[
        terminal("o", "c", &data),
        terminal("p", "c2", &data),
        ("v2.TerminalOutputAppended", delta),
        cleared("c", true),
        cleared("c", false),
    ]);
    assert_eq!(output_ids(&state), ["p"]);
    assert_eq!(state.deltas_of(&OutputId::from("o")).count(), 1);
    assert_eq!(state.pending_clears().count(), 1);
}

#[test]
fn a_display_updates_its_namesakes_in_every_cell() {
    let mut state = after(&[
        display("o1", "c1", "d", &inline("text/plain", &json!("old"))),
        display("o2", "c2", "d", &inline("text/html", &json!("new"))),
        display("o3", "c3", "e", &inline("text/plain", &json!("apart"))),
    ]);
    let data = |state: &NotebookState| state.outputs().map(|row| row.data.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(data(&state), ["new", "new", "apart"]);
    let unknown = json!({ "displayId": "d", "representations": { "x/y": { "type": "inline", "data": "z" } } });
    more(&mut state, &[("v1.MultimediaDisplayOutputUpdated", unknown)]);
    assert_eq!(data(&state), ["new", "new", "apart"]);
    let update = json!({ "displayId": "e", "representations": inline("text/latex", &json!("x^2")) });
    more(&mut state, &[("v1.MultimediaDisplayOutputUpdated", update)]);
    assert_eq!(data(&state), ["new", "new", "x^2"]);
}

#[test]
fn deltas_follow_the_data_in_the_order_of_their_numbers() {
    let delta = |id: &str, text: &str, number: i64| {
        ("v2.TerminalOutputAppended", json!({ "id": id, "outputId": "o", "delta": text, "sequenceNumber": number }))
    };
    let state =
        after(&[terminal("o", "c", &json!("a")), delta("2", "c", 1), delta("1", "b", 0), delta("1", "twice", 9)]);
    assert_eq!(state.full_text(&OutputId::from("o")).as_deref(), Some("abc"));
    assert_eq!(state.full_text(&OutputId::from("gone")), None);
}

#[test]
fn the_deprecated_append_joins_text_onto_the_data() {
    let append =
        |id: &str| ("v1.TerminalOutputAppended", json!({ "outputId": id, "content": { "type": "inline", "data": 1 } }));
    let state = after(&[terminal("o", "c", &json!("a")), append("o"), append("gone")]);
    assert_eq!(state.outputs().next().unwrap().data.as_deref(), Some("a1"));
    assert_eq!(output_ids(&state), ["o"]);
}

#[test]
fn the_queue_is_read_in_request_order_and_by_id() {
    let state = after(&[requested("q9"), requested("q10"), requested("q1"), assigned("q1", "s")]);
    assert_eq!(queue_ids(state.pending_in_order()), ["q9", "q10"]);
    assert_eq!(state.pending_by_id().unwrap().id, QueueId::from("q10"));
    assert_eq!(queue_ids(state.assigned_to(&SessionId::from("s"))), ["q1"]);
    assert_eq!(queue_ids(state.assigned_to(&SessionId::from("t"))), [""; 0]);
}

#[test]
fn a_request_with_a_known_id_marks_the_cell_and_not_the_queue() {
    let state = after(&[cell("c"), requested("q"), completed("q", "success"), requested("q")]);
    assert_eq!(state.queue_entry(&QueueId::from("q")).unwrap().status, QueueStatus::Completed);
    assert_eq!(state.cell(&CellId::from("c")).unwrap().execution_state, ExecutionState::Queued);
}

#[test]
fn whatever_is_no_success_fails_the_entry() {
    for (status, entry, cell_state) in [
        ("success", QueueStatus::Completed, ExecutionState::Completed),
        ("error", QueueStatus::Failed, ExecutionState::Error),
        ("cancelled", QueueStatus::Failed, ExecutionState::Error),
    ] {
        let state = after(&[cell("c"), requested("q"), completed("q", status)]);
        assert_eq!(state.queue().next().unwrap().status, entry);
        assert_eq!(state.cells().next().unwrap().execution_state, cell_state);
    }
}

#[test]
fn a_session_started_again_is_new_and_last() {
    let ended = json!({ "sessionId": "s", "reason": "shutdown" });
    let mut state = after(&[session("s"), session("t"), ("v1.RuntimeSessionTerminated", ended)]);
    assert_eq!(state.session(&SessionId::from("s")).unwrap().status, SessionStatus::Terminated);
    more(&mut state, &[session("s")]);
    let active: Vec<_> = state.active_sessions().map(|row| (row.session_id.as_str(), row.status)).collect();
    assert_eq!(active, [("t", SessionStatus::Starting), ("s", SessionStatus::Starting)]);
}

#[test]
fn a_cell_is_created_once_and_deleted_alone() {
    let v1 = json!({ "id": "d", "cellType": "sql", "position": 10.7, "createdBy": "u" });
    let changed = json!({ "id": "c", "source": "s", "modifiedBy": "u" });
    let mut state = after(&[cell("c"), ("v1.CellSourceChanged", changed), cell("c"), ("v1.CellCreated", v1)]);
    let seen: Vec<_> =
        state.cells().map(|row| (row.source.as_str(), row.fractional_index.as_deref().unwrap())).collect();
    assert_eq!(seen, [("s", "a0"), ("", "aa")]);
    more(&mut state, &[terminal("o", "c", &json!("x")), ("v1.CellDeleted", json!({ "id": "c" }))]);
    assert!(state.cell(&CellId::from("c")).is_none());
    assert_eq!(state.outputs_of(&CellId::from("c")).count(), 1);
}

#[test]
fn a_cell_takes_every_change() {
    let state = after(&[
        cell("c"),
        ("v1.CellTypeChanged", json!({ "id": "c", "cellType": "ai" })),
        ("v1.CellMoved", json!({ "id": "c", "newPosition": 36 })),
        ("v1.CellSourceVisibilityToggled", json!({ "id": "c", "sourceVisible": false })),
        ("v1.CellOutputVisibilityToggled", json!({ "id": "c", "outputVisible": false })),
        ("v1.CellAiContextVisibilityToggled", json!({ "id": "c", "aiContextVisible": false })),
        (
            "v1.AiSettingsChanged",
            json!({ "cellId": "c", "provider": "p", "model": "m", "settings": { "maxTokens": 5 } }),
        ),
        ("v1.SqlConnectionChanged", json!({ "cellId": "c", "connectionId": "k", "changedBy": "x" })),
        ("v1.SqlResultVariableChanged", json!({ "cellId": "c", "resultVariable": "df", "changedBy": "x" })),
    ]);
    let expect = r#"{"id":"c","cellType":"ai","source":"","fractionalIndex":"a10","executionCount":null,"executionState":"idle","assignedRuntimeSession":null,"lastExecutionDurationMs":null,"sqlConnectionId":"k","sqlResultVariable":"df","aiProvider":"p","aiModel":"m","aiSettings":{"maxTokens":5},"sourceVisible":false,"outputVisible":false,"aiContextVisible":false,"createdBy":"u"}"#;
    assert_eq!(serde_json::to_string(state.cell(&CellId::from("c")).unwrap()).unwrap(), expect);
}

#[test]
fn presence_ends_with_whoever_acted_last() {
    let state = after(&[
        ("v1.PresenceSet", json!({ "userId": "a", "cellId": "c1" })),
        ("v1.PresenceSet", json!({ "userId": "b" })),
        ("v1.CellDeleted", json!({ "id": "c2", "actorId": "a" })),
        ("v1.CellDeleted", json!({ "id": "c3" })),
        ("v1.CellDeleted", json!({ "id": "c3", "actorId": "" })),
        ("v1.SqlConnectionChanged", json!({ "cellId": "c4", "changedBy": "x" })),
        assigned("q", "s"),
    ]);
    let rows = serde_json::to_string(&state.presence().collect::<Vec<_>>()).unwrap();
    assert_eq!(rows, r#"[{"userId":"b","cellId":null},{"userId":"a","cellId":"c2"}]"#);
}

#[test]
fn the_actor_of_an_event_wins_over_its_user() {
    let request = |actor: &str| {
        let args = json!({ "queueId": "q", "cellId": "c", "executionCount": 1, "requestedBy": "u", "actorId": actor });
        ("v1.ExecutionRequested", args)
    };
    for (actor, present) in [("agent", "agent"), ("", "u")] {
        let state = after(&[request(actor)]);
        assert_eq!(state.presence().next().unwrap().user_id, UserId::from(present));
    }
}

#[test]
fn metadata_actors_and_approvals_have_tables_of_their_own() {
    let at = "2023-11-14T22:13:20.000Z";
    let state = after(&[
        ("v1.NotebookInitialized", json!({ "id": "nb", "title": "T", "ownerId": "u" })),
        ("v1.NotebookTitleChanged", json!({ "title": "T2" })),
        ("v1.NotebookMetadataSet", json!({ "key": "k", "value": "v" })),
        ("v1.ActorProfileSet", json!({ "id": "a", "type": "human", "displayName": "A" })),
        (
            "v1.ToolApprovalRequested",
            json!({ "toolCallId": "t", "cellId": "c", "toolName": "rm", "arguments": {}, "requestedAt": at }),
        ),
        (
            "v1.ToolApprovalResponded",
            json!({ "toolCallId": "t", "status": "denied", "approvedBy": "u", "respondedAt": at }),
        ),
    ]);
    let keys: Vec<_> = state.metadata_rows().map(|row| row.key.as_str()).collect();
    assert_eq!((keys, state.metadata("title")), (vec!["ownerId", "title", "k"], Some("T2")));
    let rows = json!({ "actors": state.actors().collect::<Vec<_>>(), "approvals": state.tool_approvals().collect::<Vec<_>>() });
    let expect = json!({
        "actors": [{ "id": "a", "type": "human", "displayName": "A", "avatar": null }],
        "approvals": [{ "toolCallId": "t", "cellId": "c", "toolName": "rm", "status": "denied", "approvedBy": "u", "requestedAt": at, "respondedAt": at }],
    });
    assert_eq!(rows, expect);
}

#[test]
fn an_event_about_nothing_known_changes_nothing() {
    let mut state = after(&[cell("c"), requested("q")]);
    let before = state.clone();
    more(
        &mut state,
        &[
            ("v9.Unheard", json!({ "cellId": "c", "actorId": "z" })),
            (
                "v1.RuntimeSessionRenewal",
                json!({ "sessionId": "s", "renewedAt": "2023-11-14T22:13:20.000Z", "validForMs": 1 }),
            ),
            ("v1.RuntimeSessionStatusChanged", json!({ "sessionId": "gone", "status": "busy" })),
            assigned("gone", "s"),
        ],
    );
    assert_eq!(state, before);
}
