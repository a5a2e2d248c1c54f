//! What is printed is read by programs: do they get an exit status that says what was found, whatever they read?

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    const WORN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/logs/worn.jsonl");

    #[track_caller]
    fn check(stdout: impl Into<Stdio>, status: i32, said: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runtime-bridge"));
        let ended = command.args(["audit", WORN]).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let ended = ended.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), stderr.starts_with(said)), (Some(status), true), "{stderr}");
        assert_eq!(stderr.is_empty(), said.is_empty(), "{stderr}");
    }

    #[test]
    fn a_reader_that_has_seen_enough_changes_nothing() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        check(writer, 1, "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_answer_that_cannot_be_printed_is_no_answer() {
        check(std::fs::File::create("/dev/full").unwrap(), 2, "the answer cannot be printed: ");
    }
}
