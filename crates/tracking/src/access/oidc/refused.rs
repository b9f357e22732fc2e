//! Why somebody is not signed in by a provider: in words that say what to do, and never with a token in them.

/// Why somebody is not signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// What was presented is no token that counts here. Its sender may know why.
    #[error("{0}")]
    Token(String),
    /// Whoever it is may not sign in here. An administrator can change that.
    #[error("{0}")]
    Person(String),
    /// The provider could not be asked, or what it said is of no use. The reason is for the log.
    #[error("{0}")]
    Provider(String),
    /// Too many others wait for a provider.
    #[error("too many sign-ins wait for a provider; try again")]
    Busy,
}

impl Refused {
    pub(super) fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }

    pub(super) fn person(reason: impl Into<String>) -> Self {
        Self::Person(reason.into())
    }

    pub(super) fn provider(reason: impl Into<String>) -> Self {
        Self::Provider(reason.into())
    }
}

/// What the tables refuse is for whoever signs in; what else goes wrong there is not.
impl From<trainyard_mlflow::Error> for Refused {
    fn from(error: trainyard_mlflow::Error) -> Self {
        if error.code().http_status() >= 500 {
            tracing::error!(%error, "somebody could not be signed in");
            return Self::provider("users cannot be read or written now");
        }
        Self::Person(error.for_clients().to_owned())
    }
}
