//! Any bytes as the JSON body of a prediction: columns or a refusal.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trainyard_signature::enforce::{Casting, Enforced, Enforcer, Limits, Protocol, Rejection};
use trainyard_signature::model::{Schema, Signature};

/// Signatures by their JSON, and none.
static ENFORCERS: LazyLock<Vec<Enforcer>> = LazyLock::new(|| {
    let columns = r#"[{"type": "double", "name": "a", "required": true},
        {"type": "long", "name": "b", "required": false}, {"type": "string", "name": "c", "required": true},
        {"type": "boolean", "name": "d", "required": false}, {"type": "datetime", "name": "e", "required": false},
        {"type": "binary", "name": "f", "required": false}]"#;
    let tensor = r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]"#;
    let signature = |inputs: &str| -> Signature {
        let inputs = Some(Schema::from_json(inputs).expect("a schema"));
        Signature { inputs, ..Signature::default() }
    };
    let mut enforcers = vec![Enforcer::new(None, Casting::Lossless, Limits::default())];
    for inputs in [columns, tensor] {
        for casting in [Casting::Strict, Casting::Lossless, Casting::Upstream] {
            enforcers.push(Enforcer::new(Some(&signature(inputs)), casting, Limits::default()));
        }
    }
    enforcers
});

fn check(enforced: Result<Enforced, Rejection>) {
    if let Ok(enforced) = enforced {
        assert!(enforced.batch.num_rows() > 0);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let enforcer = &ENFORCERS[usize::from(*first) % ENFORCERS.len()];
    for protocol in [Protocol::Invocations, Protocol::Predict, Protocol::OpenInference] {
        check(enforcer.json(body, protocol));
    }
    check(enforcer.csv(body));
});
