//! The `signature` of an `MLmodel` that may have none, for serde's `with`: a mapping of JSON texts.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::signature::{ParamSpec, Schema, Signature};
use crate::Error;

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(super) fn serialize<S: Serializer>(
    signature: &Option<Signature>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let texts = signature.as_ref().map(SignatureTexts::of).transpose();
    texts.map_err(S::Error::custom)?.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Signature>, D::Error> {
    let texts = Option::<SignatureTexts>::deserialize(deserializer)?;
    texts.map(|texts| texts.parse()).transpose().map_err(D::Error::custom)
}

/// Each part is a JSON text.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SignatureTexts {
    inputs: Option<String>,
    outputs: Option<String>,
    params: Option<String>,
}

impl SignatureTexts {
    fn of(signature: &Signature) -> crate::Result<Self> {
        Ok(Self {
            inputs: signature.inputs.as_ref().map(Schema::to_json).transpose()?,
            outputs: signature.outputs.as_ref().map(Schema::to_json).transpose()?,
            params: signature.params.as_deref().map(ParamSpec::list_to_json).transpose()?,
        })
    }

    fn parse(&self) -> crate::Result<Signature> {
        let schema = |part: &str, text: &Option<String>| -> crate::Result<Option<Schema>> {
            text.as_deref().map(Schema::from_json).transpose().map_err(|error| within(part, &error))
        };
        let params = self.params.as_deref().map(ParamSpec::list_from_json).transpose();
        Ok(Signature {
            inputs: schema("inputs", &self.inputs)?,
            outputs: schema("outputs", &self.outputs)?,
            params: params.map_err(|error| within("params", &error))?,
        })
    }
}

fn within(part: &str, error: &Error) -> Error {
    Error::schema(format!("signature {part}: {error}"))
}
