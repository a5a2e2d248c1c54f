//! What SQLite's errors mean for an owner.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

/// The error of a store in this file.
pub(crate) fn fault(path: &Path, error: &Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StoreError::Unopenable { path, detail: error.to_string() }
        }
        // The statements are constants, so a statement that does not fit means a file whose tables are not ours.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            StoreError::Corrupt { path, detail: error.to_string() }
        }
        Some(_) => StoreError::Failed { path, detail: error.to_string() },
        // Not from SQLite itself: a value in the file has another type than its column.
        None => StoreError::Corrupt { path, detail: error.to_string() },
    }
}
