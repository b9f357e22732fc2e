//! Who a client turned out to be.

use std::sync::Arc;

use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Characters of a certificate's subject that are kept.
const SUBJECT_CHARACTERS_MAX: usize = 256;

/// Who asks, where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) enum Caller {
    /// Whoever has the token of this name.
    Token(Arc<str>),
    /// Whom a certificate was given to (`CN=shop, O=Example`).
    Certificate(Arc<str>),
}

/// Whom a certificate (DER) was given to.
pub(in crate::gateway) fn subject(certificate: &[u8]) -> Option<Arc<str>> {
    let (_rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject().to_string();
    Some(subject.chars().take(SUBJECT_CHARACTERS_MAX).collect::<String>().into())
}
