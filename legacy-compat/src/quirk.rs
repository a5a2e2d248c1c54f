//! Every oddity of the old code, by name: what it does, why it does so, and what becomes of it on the registry route.
//!
//! On the legacy route each row is reproduced. A row that the registry fixes is a known difference between the paths.

/// What the registry route does about a quirk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRegistry {
    /// The registry route behaves the same, because the quirk belongs to the lifecycle classes or the schema, which no
    /// route changes, or because hosts rely on it.
    Kept,
    /// The registry route does the right thing.
    Fixed,
}

/// One oddity, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuirkRow {
    /// The quirk.
    pub quirk: Quirk,
    /// What the old code does.
    pub what: &'static str,
    /// Why it does so.
    pub why: &'static str,
    /// What the registry route does about it.
    pub registry: OnRegistry,
}

/// Declares the quirks and their rows in one place, so that none lacks a description.
macro_rules! quirks {
    ($($name:ident, $registry:ident, $what:literal, $why:literal;)*) => {
        /// The name of an oddity of the old code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Quirk {
            $(#[doc = $what] $name,)*
        }

        /// Every quirk, in the order of the classes: lifecycle, registry of runtimes, factory, html session, schema, manager, agents elsewhere.
        pub const QUIRKS: &[QuirkRow] = &[
            $(QuirkRow { quirk: Quirk::$name, what: $what, why: $why, registry: OnRegistry::$registry },)*
        ];
    };
}

quirks! {
    RestartNeverRestarts, Kept,
        "restart() of an active runtime stops it and rejects 100 ms later",
        "stop() clears the notebook id that the delayed start needs; only a failed start, or somebody else's start within the 100 ms, leaves one";
    RestartRejectsAtOnceWhenStopFails, Kept,
        "restart() rejects without its pause when doStop throws",
        "the failed stop leaves restart by its exception";
    ThreeCallbacksAStart, Kept,
        "start emits starting without ids, starting with ids, ready",
        "the ids are generated and merged after the announcement";
    HeartbeatSurvivesStop, Kept,
        "a stopped runtime keeps lastHeartbeat; a fresh one has no such key",
        "the stop patch does not name it";
    HeartbeatCountsAsChange, Kept,
        "an unchanged status is announced again once the clock has moved by a millisecond",
        "the heartbeat is part of the compared state";
    FailedStopStaysActive, Kept,
        "when doStop throws, the status is error but isActive stays true: start is a silent no-op, a second stop may succeed",
        "the error patch of stop does not touch isActive";
    FailedStartKeepsIds, Kept,
        "a failed start leaves runtimeId and sessionId in the state",
        "the error patch of start does not clear them";
    SecondStartIsSilent, Kept,
        "a second start resolves at once, even while the first is pending, and ignores its arguments",
        "active or starting returns before anything else";
    OverlappingStartStopAreNoOps, Kept,
        "stop during start and start during stop do nothing; the runtime ends as the first call leaves it",
        "each only looks at isActive";
    SetErrorOnInactive, Kept,
        "setError changes the status of an inactive runtime too",
        "unlike setBusy and setReady it does not look at isActive";
    ReadyKeepsError, Kept,
        "setReady leaves the error text; an error set inside doStart survives into ready",
        "the ready patch does not name it";
    ConfigurationMergesShallowly, Kept,
        "start(config) replaces whole members, for good, and an explicit undefined overrides the default of 30000 ms",
        "object spread";
    NonErrorsAreRethrownRaw, Kept,
        "a thrown non-Error is rethrown as it is; the state shows String(value)",
        "only the message is converted";
    DestroyLosesCallbacks, Kept,
        "destroy() of an active runtime shows one stopping callback, then none, and only logs a failing stop",
        "the callbacks are cleared while the stop is under way";
    ExecutionTimeLimitUnused, Fixed,
        "maxExecutionTime limits nothing",
        "no old code reads it; on the registry route it is the handler's deadline";
    OneStopMakesRoom, Kept,
        "with the limit 1, startRuntime stops the active runtime that was registered first; with any other limit it rejects",
        "only the first of the active runtimes is stopped, whatever its priority; with two active the limit is exceeded";
    ConcurrentStartsExceedLimit, Kept,
        "two concurrent startRuntime calls both pass the limit",
        "a starting runtime is not active yet";
    RoomIsMadeBeforeAFailingStart, Kept,
        "starting a runtime that fails has already stopped the one that was running",
        "room is made before the start is tried";
    UnavailableStarts, Kept,
        "isAvailable: false does not keep startRuntime from starting a runtime",
        "availability is only read by getAvailableRuntimes and getStats";
    MonitorSeesOnceASecond, Kept,
        "state events are up to a second late; what comes and goes in between shows only through lastHeartbeat",
        "each runtime's state is compared every 1000 ms";
    ErrorEventOnlyWhenInactive, Kept,
        "an error of an active runtime gives no error event",
        "being active is looked at first";
    MonitorSurvivesReset, Kept,
        "after resetInstance the old registry goes on reporting",
        "its intervals end with unregister only";
    RegisteredCallbackEscapes, Kept,
        "a throwing onRuntimeRegistered or onRuntimeUnregistered callback escapes from register or unregister, which took effect",
        "only onEvent and onRuntimeStateChanged callbacks are caught";
    DuplicateIdIsSkipped, Kept,
        "registering an id that exists is silent, also for another object of another type",
        "the id is looked up first";
    UnregisterDoesNotWait, Kept,
        "unregister of an active runtime begins its stop and goes on; the stop's end and its failure go unheard",
        "unregister is synchronous";
    FirstFactoryBinds, Kept,
        "a second factory with another store and user leaves the html runtime bound to the first ones",
        "the registry is a singleton, and its html-runtime is already there";
    FactoryIgnoresRegistryConfig, Kept,
        "registryConfig given to a factory has no effect, even where the factory is the first to ask for the registry",
        "it is only logged; the singleton is asked for without a configuration";
    AnyRuntimeSkipsDefaults, Kept,
        "createWithDefaults registers nothing once any available runtime is there: html may be missing",
        "available runtimes are counted, whatever their type";
    DefaultsStopHalfWay, Kept,
        "setupDefaultRuntimes throws where a host's runtime has the type of a default one, and what came before stays registered",
        "the defaults are registered one after the other and nothing is undone";
    ExternalIsLocal, Kept,
        "starting and stopping the external runtime commits no event; its ping is false and its connection null, started or not",
        "it is a placeholder for a process that people start themselves";
    ClaimsOnePerPoll, Fixed,
        "one entry is claimed every 50 ms, whatever is queued",
        "each tick claims the first pending row only";
    QueueIdsOrderAsText, Fixed,
        "q10 is claimed before q9",
        "the queue is ordered by id, a text; the registry takes entries as they were requested";
    AnyCellTypeIsHtml, Kept,
        "a cell of any type is executed as html",
        "the cell type is never read";
    MissingCellSucceeds, Fixed,
        "an unknown cell is executed as an empty source, with success and an output",
        "the source falls back to the empty string; the registry completes it with the error `cell not found`";
    ConstantExecutionCount, Fixed,
        "the output's executionCount is always 1",
        "a constant; the registry writes the entry's own count";
    EmptyMetadata, Fixed,
        "the html representation carries an empty metadata object",
        "a constant; the registry leaves it out";
    OutputsPileUp, Fixed,
        "running a cell again leaves both outputs at position 0",
        "outputs are never cleared; the registry clears before it writes";
    AnyFailingCommitWedges, Fixed,
        "one failing commit ends all claiming until stop and start, while the session still shows as ready",
        "the status error makes the poll idle; the registry fails that execution and goes on";
    ErrorOutputIsText, Fixed,
        "the error output's content is the text `Error: message`",
        "the message is interpolated; the registry writes no output for a commit that failed";
    CompletionWithoutError, Fixed,
        "an execution completed with error carries no error field",
        "it is not passed on; the registry passes it";
    LostCompletion, Fixed,
        "when both completions fail the entry stays executing for ever and the runtime stays ready",
        "the second failure is only logged";
    DisplacementUnnoticed, Fixed,
        "a displaced runtime goes on claiming, and may win against its successor",
        "nobody watches the session's row";
    PhasesInterleave, Fixed,
        "entries assigned in one poll interleave: started and output of each, then the completions",
        "the executions are not awaited one by one";
    SessionNeverBusy, Kept,
        "the session's row never shows busy",
        "busy is local state";
    StopFromCallbackStrands, Fixed,
        "stop() in a busy callback leaves the claimed entry assigned for ever",
        "the store is gone when the execution goes on; the registry finishes what it claimed first";
    StopLeavesPendingWork, Kept,
        "pending entries stay pending when a runtime stops",
        "nobody takes them over; the next session finds them";
    StartDisplacesBeforeItFails, Fixed,
        "a failing start has already terminated the other sessions, or leaves its own one starting",
        "each event is a commit of its own; the registry announces a session in one commit";
    CapabilitiesAreStripped, Kept,
        "supportedLanguages, supportsInterruption and supportsRestart are passed and never stored",
        "the schema knows only the three permissions and the models";
    CancelAfterDone, Kept,
        "cancelling a finished execution turns its row to cancelled and its cell to idle",
        "the materialiser updates unconditionally";
    RepeatedQueueId, Kept,
        "a second request under the same queue id leaves its cell queued for ever",
        "the queue row is ignored, the cell is updated";
    ManagerRestartOnlyStops, Fixed,
        "restartRuntime of an active manager stops it and never starts it again",
        "the start 100 ms later is that of the render in which restart was called, which believes the runtime to be active";
    ManagerTerminatesTwice, Fixed,
        "a stop or a logout of the manager terminates its session twice, two stops in one tick three times",
        "the clean-up of the effect with the active state stops again, by the old render's function";
    ManagerStartsTwice, Fixed,
        "two starts of the manager in one tick start the session twice, under the same ids",
        "both are functions of the render that saw it inactive";
    ManagerReusesIds, Fixed,
        "the manager's runtimeId and sessionId come back with its next start",
        "they are made once when the component mounts; on the registry route each session has its own";
    ManagerSkipsTransitions, Kept,
        "the manager never shows isStarting or isStopping",
        "what sets them also clears them before the next render";
    ManagerCallsAreOfARender, Kept,
        "a call of the manager acts on what the last render showed: a stop in the tick of its start does nothing",
        "its functions close over a render's values";
    ManagerClaimsAhead, Fixed,
        "the manager claims the next entry before it runs the one that it holds",
        "one effect claims the first pending entry of a render, the effect behind it runs what was assigned at that render";
    ManagerDurationIsConstant, Fixed,
        "the manager's executions last 100 ms, failed ones 0",
        "constants; the registry writes the real duration";
    ManagerDisplacesWhatItRendered, Fixed,
        "the manager's start leaves a session alone that became active in the same tick",
        "the active sessions are a live query's value of the last render";
    ManagerFailingClaimUnmounts, Fixed,
        "a claim that fails throws into the host's tree and unmounts the manager, which ends its session",
        "the claim is made in an effect that catches nothing; the registry gives the claim back";
    ManagerErrorOutlivesLogin, Kept,
        "the text `Not authenticated` stays after the login until the next start or stop",
        "only those clear it";
    ManagerNeverRejects, Kept,
        "startRuntime, stopRuntime and restartRuntime resolve whatever happens",
        "failures go to the state";
    AgentClaimsAgain, Fixed,
        "an agent elsewhere assigns an entry to itself several times",
        "each look at the queue before the first claim has come back claims once more";
    AgentShowsBehindTheEnd, Fixed,
        "an agent elsewhere adds a returned image behind the end of its execution",
        "it does not wait for it; the registry ends an execution behind its last output";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_says_what_and_why_once() {
        let mut texts: Vec<_> = QUIRKS.iter().flat_map(|row| [row.what, row.why]).collect();
        texts.sort_unstable();
        let all = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), all);
    }
}
