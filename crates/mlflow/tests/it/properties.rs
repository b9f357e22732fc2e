//! What holds for all URIs.

use proptest::prelude::*;
use trainyard_mlflow::uri::{ModelUri, TrackingUri, join, without_credentials};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_a_reader_panic(text in "[\\[\\]{}:,\"a-z0-9 .&*\n-]{0,200}", any in ".{0,80}") {
        let _read = (any.parse::<ModelUri>(), any.parse::<TrackingUri>(), without_credentials(&any));
        let joined = join(&any, &text);
        prop_assert!(joined.len() + 2 >= any.len());
    }

    #[test]
    fn model_uris_come_back_as_they_were_read(
        scheme in "models:/|runs:/|mlflow-artifacts:/|file:///|",
        rest in "[^:?@]{1,20}(@[a-z]{1,5}|/[0-9]{1,3})?",
    ) {
        if let Ok(uri) = format!("{scheme}{rest}").parse::<ModelUri>() {
            let shown = uri.to_string();
            let again: ModelUri = shown.parse().unwrap();
            prop_assert_eq!(again.to_string(), shown.clone());
            // Credentials are not shown, so what is read back lacks them.
            prop_assert!(again == uri || shown.contains("***"), "{again:?} is not {uri:?}");
        }
    }
}
