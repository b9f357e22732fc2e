//! Counts the messages within a protobuf body before it is decoded.
//!
//! Two bytes may be a whole span, which takes two hundred of memory: what is decoded is taken from the
//! memory that all requests share first.

use std::collections::HashSet;

use prost::Message as _;
use trainyard_base::{Full, Share};

use super::otlp::{ExportRequest, ResourceSpans};

/// Most messages of one body: a thousand spans with a hundred attributes each, and their values.
const MESSAGES_MAX: usize = 500_000;
/// What a message takes in memory, on average: an attribute with its value, a list's room to grow.
const MESSAGE_BYTES: u64 = 128;
/// What an attribute of a program takes beside its texts where it is stored.
const ROW_BYTES: u64 = 128;

/// Why a body is not decoded.
#[derive(Debug)]
pub(crate) enum Refused {
    Malformed,
    TooMany,
    Memory(Full),
}

/// The messages that hold others.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Request,
    ResourceSpans,
    Resource,
    ScopeSpans,
    Span,
    Event,
    Link,
    Leaf,
    KeyValue,
    AnyValue,
    Array,
    Object,
}

impl Kind {
    /// What a field of it is, if it is a message that is decoded.
    fn field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Request, 1) => Self::ResourceSpans,
            (Self::ResourceSpans, 1) => Self::Resource,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Leaf,
            (Self::Resource | Self::Object, 1)
            | (Self::Span, 9)
            | (Self::Event, 3)
            | (Self::Link, 4) => Self::KeyValue,
            (Self::KeyValue, 2) | (Self::Array, 1) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::Array,
            (Self::AnyValue, 6) => Self::Object,
            _ => return None,
        })
    }
}

/// Takes what the messages of a body will take.
pub(crate) fn take(body: &[u8], share: &mut Share) -> Result<(), Refused> {
    let mut count: usize = 0;
    let mut rest = vec![(Kind::Request, body)];
    while let Some((kind, mut message)) = rest.pop() {
        while !message.is_empty() {
            let key = varint(&mut message)?;
            match key & 7 {
                0 => {
                    varint(&mut message)?;
                }
                1 => {
                    bytes(&mut message, 8)?;
                }
                2 => {
                    let length = varint(&mut message)?;
                    let part = bytes(&mut message, length)?;
                    if let Some(inner) = kind.field(key >> 3) {
                        count += 1;
                        rest.push((inner, part));
                    }
                }
                5 => {
                    bytes(&mut message, 4)?;
                }
                _ => return Err(Refused::Malformed),
            }
            if count > MESSAGES_MAX {
                return Err(Refused::TooMany);
            }
        }
    }
    share.grow(count as u64 * MESSAGE_BYTES).map_err(Refused::Memory)
}

/// Bytes of what describes programs, which is stored with each of their traces: a request may say it once, for a
/// hundred thousand of them.
pub(crate) fn described_bytes(request: &ExportRequest) -> u64 {
    request.resource_spans.iter().map(described).fold(0, u64::saturating_add)
}

fn described(spans: &ResourceSpans) -> u64 {
    let attributes = spans.resource.iter().flat_map(|resource| &resource.attributes);
    let once: u64 = attributes.map(|attribute| attribute.encoded_len() as u64 + ROW_BYTES).sum();
    let spans = spans.scope_spans.iter().flat_map(|scope| &scope.spans);
    let traces: HashSet<&[u8]> = spans.map(|span| span.trace_id.as_slice()).collect();
    once.saturating_mul(traces.len() as u64)
}

fn bytes<'a>(message: &mut &'a [u8], length: u64) -> Result<&'a [u8], Refused> {
    let length = usize::try_from(length).map_err(|_error| Refused::Malformed)?;
    let (part, rest) = message.split_at_checked(length).ok_or(Refused::Malformed)?;
    *message = rest;
    Ok(part)
}

fn varint(message: &mut &[u8]) -> Result<u64, Refused> {
    let mut value: u64 = 0;
    for place in 0..10 {
        let (&byte, rest) = message.split_first().ok_or(Refused::Malformed)?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use trainyard_base::Budget;

    use super::super::otlp::{KeyValue, Resource, ScopeSpans, Span};
    use super::*;

    fn request(spans: usize) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { spans: vec![Span::default(); spans] }];
        let resource_spans = vec![ResourceSpans { resource: None, scope_spans }];
        ExportRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn small_bodies_of_many_messages_are_refused_before_they_are_decoded() {
        let budget = Budget::new(10 << 20);
        let body = request(1_000);
        assert!(body.len() < 3_000);
        let mut share = budget.take(0).unwrap();
        take(&body, &mut share).unwrap();
        assert!(share.bytes() >= 1_000 * MESSAGE_BYTES);
        let many = request(100_000);
        assert!(matches!(take(&many, &mut share), Err(Refused::Memory(_))));
        let budget = Budget::new(1 << 40);
        let mut share = budget.take(0).unwrap();
        assert!(matches!(take(&request(MESSAGES_MAX), &mut share), Err(Refused::TooMany)));
    }

    #[test]
    fn what_describes_a_program_counts_once_for_each_of_its_traces() {
        let described = |spans: Vec<Span>| {
            let attributes = vec![KeyValue { key: "k".repeat(1_000), value: None }];
            let resource = Some(Resource { attributes });
            let scope_spans = vec![ScopeSpans { spans }];
            let resource_spans = vec![ResourceSpans { resource, scope_spans }];
            described_bytes(&ExportRequest { resource_spans })
        };
        let span = |trace: u8| Span { trace_id: vec![trace], ..Span::default() };
        let one = described(vec![span(1), span(1)]);
        assert!((1_000..2_000).contains(&one), "{one}");
        assert_eq!(described((0..200).map(span).collect()), 200 * one);
    }

    #[test]
    fn what_is_cut_off_is_malformed() {
        let budget = Budget::new(1 << 20);
        let mut share = budget.take(0).unwrap();
        for body in [&[0x0a, 0x05, 0x00][..], &[0xff; 20], &[0x0b], &[0x09, 1]] {
            assert!(matches!(take(body, &mut share), Err(Refused::Malformed)), "{body:?}");
        }
    }
}
