//! What a token may do at most.

use trainyard_mlflow::{Error, Result};

/// Lets a token do with users and roles whatever its owner may.
pub(crate) const ADMIN: &str = "ADMIN";
/// All there are.
pub(crate) const SCOPES: [&str; 4] = ["READ", "EDIT", "MANAGE", ADMIN];

/// Refuses a scope that there is not.
pub(crate) fn check_scope(scope: &str) -> Result<()> {
    if SCOPES.contains(&scope) {
        return Ok(());
    }
    Err(Error::invalid(format!("Invalid scope '{scope}'. Valid scopes are: {}", SCOPES.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_of_those_there_are() {
        check_scope("READ").unwrap();
        let error = check_scope("read").unwrap_err().to_string();
        assert!(error.contains("READ, EDIT, MANAGE, ADMIN"), "{error}");
    }
}
