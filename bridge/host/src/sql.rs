//! The reads of [`registry::Query`] as SQL over the notebook's tables, for stores that speak it.
//!
//! Each statement yields one row with one column, `value`: the answer as JSON, so that an owner can hand it back untouched.

use registry::Query;
use serde::Serialize;

/// A statement and what it answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The text; its bind parameters are written `?`.
    pub query: &'static str,
    /// The values of these parameters, in order.
    pub bind_values: Vec<String>,
    /// The [`registry::Reply`] that the JSON is.
    pub reply: &'static str,
}

const ACTIVE_SESSIONS: &str = "SELECT json_group_array(sessionId) AS value FROM \
    (SELECT sessionId FROM runtimeSessions WHERE isActive = 1 ORDER BY rowid)";

const CELL_SOURCES: &str = "SELECT json_group_object(id, source) AS value FROM cells \
    WHERE id IN (SELECT json_each.value FROM json_each(?))";

const WORK: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM runtimeSessions WHERE sessionId = ? AND isActive = 1) \
    THEN (SELECT json_group_object(id, source) FROM cells WHERE id IN (SELECT json_each.value FROM json_each(?))) END AS value";

/// Reads queue rows with this condition and order.
macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT json_group_array(json_object('id', id, 'cellId', cellId, 'executionCount', executionCount, ",
            "'status', status, 'assignedRuntimeSession', assignedRuntimeSession)) AS value FROM ",
            "(SELECT * FROM executionQueue WHERE ",
            $rest,
            ")"
        )
    };
}

const PENDING_BY_ID: &str = entries!("status = 'pending' ORDER BY id");
const ASSIGNED_TO: &str = entries!("status = 'assigned' AND assignedRuntimeSession = ? ORDER BY id");
const OPEN_ENTRIES: &str = entries!("status IN ('pending', 'assigned', 'executing') ORDER BY rowid");
const ENTRIES: &str = entries!("id IN (SELECT json_each.value FROM json_each(?)) ORDER BY rowid");

/// What an owner with live queries watches while the registry serves: the entries that wait or were cancelled, in request
/// order, and the active sessions in table order. A row's `kind` is `entry` or `session`.
pub const WATCH: &str = "SELECT * FROM (SELECT 'entry' AS kind, id, cellId, executionCount, status, assignedRuntimeSession \
    FROM executionQueue WHERE status IN ('pending', 'assigned', 'cancelled') ORDER BY rowid) \
    UNION ALL SELECT * FROM (SELECT 'session', sessionId, NULL, NULL, NULL, NULL FROM runtimeSessions \
    WHERE isActive = 1 ORDER BY rowid)";

/// One execution, with what its cell shows.
const EXECUTION: &str = "WITH q AS (SELECT rowid AS place, * FROM executionQueue WHERE id = ?) \
    SELECT json_object('entry', json_object('id', q.id, 'cellId', q.cellId, 'executionCount', q.executionCount, \
    'status', q.status, 'assignedRuntimeSession', q.assignedRuntimeSession), \
    'executionDurationMs', q.executionDurationMs, 'source', (SELECT source FROM cells WHERE id = q.cellId), \
    'outputs', json((SELECT json_group_array(json_object('id', id, 'cellId', cellId, 'outputType', outputType, \
    'position', position, 'streamName', streamName, 'executionCount', executionCount, 'displayId', displayId, 'data', data, \
    'artifactId', artifactId, 'mimeType', mimeType, 'metadata', json(metadata), 'representations', json(representations))) \
    FROM (SELECT * FROM outputs WHERE cellId = (SELECT cellId FROM q) ORDER BY rowid))), \
    'deltas', json((SELECT json_group_array(json_object('id', id, 'outputId', outputId, 'delta', delta, \
    'sequenceNumber', sequenceNumber)) FROM (SELECT * FROM output_deltas WHERE outputId IN \
    (SELECT id FROM outputs WHERE cellId = (SELECT cellId FROM q)) ORDER BY rowid))), \
    'isFollowed', json(CASE WHEN EXISTS (SELECT 1 FROM executionQueue WHERE cellId = q.cellId AND rowid > q.place \
    AND startedAt IS NOT NULL) THEN 'true' ELSE 'false' END)) AS value FROM q";

/// What an owner with live queries watches while sessions of agents elsewhere may be followed: the active sessions, and once one is
/// followed the entries that are not over.
pub const ELSEWHERE: [&str; 2] = [
    "SELECT 'session' AS kind, sessionId AS id, runtimeId, runtimeType, NULL AS cellId, NULL AS executionCount, \
    NULL AS status, NULL AS assignedRuntimeSession FROM runtimeSessions WHERE isActive = 1 ORDER BY rowid",
    "SELECT * FROM (SELECT 'session' AS kind, sessionId AS id, runtimeId, runtimeType, NULL AS cellId, \
    NULL AS executionCount, NULL AS status, NULL AS assignedRuntimeSession FROM runtimeSessions WHERE isActive = 1 \
    ORDER BY rowid) UNION ALL SELECT * FROM (SELECT 'entry', id, NULL, NULL, cellId, executionCount, status, \
    assignedRuntimeSession FROM executionQueue WHERE status IN ('pending', 'assigned', 'executing') ORDER BY rowid)",
];

/// The tables that the statements of [`ELSEWHERE`] read.
pub const ELSEWHERE_TABLES: [&[&str]; 2] = [&["runtimeSessions"], WATCHED_TABLES];

/// The tables that [`WATCH`] reads.
pub const WATCHED_TABLES: &[&str] = &["executionQueue", "runtimeSessions"];

/// The statement that answers a query.
pub fn statement(query: &Query) -> Statement {
    let (text, bind_values, reply) = match query {
        Query::ActiveSessions => (ACTIVE_SESSIONS, vec![], "sessions"),
        Query::PendingById => (PENDING_BY_ID, vec![], "entries"),
        Query::AssignedTo(session) => (ASSIGNED_TO, vec![session.to_string()], "entries"),
        Query::OpenEntries => (OPEN_ENTRIES, vec![], "entries"),
        Query::Entries(ids) => (ENTRIES, vec![json_list(ids.iter().map(registry::QueueId::as_str))], "entries"),
        Query::Execution(id) => (EXECUTION, vec![id.to_string()], "execution"),
        Query::CellSources(ids) => (CELL_SOURCES, vec![json_list(ids.iter().map(registry::CellId::as_str))], "sources"),
        Query::Work(session, ids) => {
            (WORK, vec![session.to_string(), json_list(ids.iter().map(registry::CellId::as_str))], "work")
        }
    };
    Statement { query: text, bind_values, reply }
}

fn json_list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(ids).to_string()
}

/// Writes a query as its statement.
pub(crate) fn serialize<S: serde::Serializer>(query: &Query, serializer: S) -> Result<S::Ok, S::Error> {
    statement(query).serialize(serializer)
}
