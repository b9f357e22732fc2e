//! What holds for all schemas and all texts.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use trainyard_signature::model::{
    ColSpec, DataType, MlModel, ParamSpec, Schema, Signature, TensorSpec,
};

fn data_type() -> impl Strategy<Value = DataType> {
    let scalar = prop_oneof![
        Just(DataType::Boolean),
        Just(DataType::Integer),
        Just(DataType::Long),
        Just(DataType::Float),
        Just(DataType::Double),
        Just(DataType::String),
        Just(DataType::Binary),
        Just(DataType::Datetime),
        Just(DataType::Any),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let properties =
            proptest::collection::btree_map(".{0,6}", (inner.clone(), any::<bool>()), 1..4);
        prop_oneof![
            inner.clone().prop_map(|items| DataType::Array(Box::new(items))),
            inner.prop_map(|values| DataType::Map(Box::new(values))),
            // Sorted by name, as MLflow has them.
            properties.prop_map(|properties| DataType::Object(
                properties
                    .into_iter()
                    .map(|(name, (kind, required))| (name, kind, required))
                    .collect()
            )),
        ]
    })
}

fn schema() -> impl Strategy<Value = Schema> {
    let named = proptest::collection::btree_map(".{0,12}", (data_type(), any::<bool>()), 1..6);
    let named = named.prop_map(|columns| {
        let columns = columns.into_iter().map(|(name, (data_type, required))| ColSpec {
            name: Some(name),
            data_type,
            required,
        });
        Schema::Columns(columns.collect())
    });
    let unnamed = vec(data_type(), 1..5)
        .prop_map(|kinds| Schema::Columns(kinds.into_iter().map(ColSpec::unnamed).collect()));
    let tensors =
        proptest::collection::btree_map(".{0,6}", ("[a-z0-9]{1,10}", vec(-1_i64..9, 0..4)), 1..4);
    let tensors = tensors.prop_map(|tensors| {
        let tensors = tensors.into_iter().map(|(name, (dtype, shape))| TensorSpec {
            name: Some(name),
            dtype,
            shape,
        });
        Schema::Tensors(tensors.collect())
    });
    prop_oneof![named, unnamed, tensors]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn schemas_come_back_as_they_were_written(schema in schema()) {
        let json = schema.to_json().unwrap();
        prop_assert!(json.is_ascii(), "{json}");
        prop_assert_eq!(&Schema::from_json(&json).unwrap(), &schema);
        // Arrow's schema has a field for each, whatever the types.
        prop_assert_eq!(schema.arrow_schema().fields().len(), schema.len());
    }

    #[test]
    fn mlmodel_files_come_back_as_they_were_written(
        texts in vec(proptest::option::of(".{0,20}"), 5),
        size in any::<u64>(),
        schema in schema(),
    ) {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        let mut model = MlModel {
            artifact_path: text(),
            mlflow_version: text(),
            model_id: text(),
            run_id: text(),
            utc_time_created: text(),
            model_size_bytes: Some(size),
            ..MlModel::default()
        };
        let signature = Signature { inputs: Some(schema), ..Default::default() };
        model.signature = Some(signature);
        let yaml = model.to_yaml().unwrap();
        prop_assert_eq!(MlModel::parse(&yaml, Path::new("MLmodel")).unwrap(), model, "{}", yaml);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[\\[\\]{}:,\"a-z0-9 .&*\n-]{0,200}", any in ".{0,80}") {
        let _read = (Schema::from_json(&text), ParamSpec::list_from_json(&text));
        let _read = (MlModel::parse(&text, Path::new("x")), MlModel::parse(&any, Path::new("x")));
    }
}
