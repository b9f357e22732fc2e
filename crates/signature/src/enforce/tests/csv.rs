//! CSV bodies, read as pandas reads them.

use super::*;

#[test]
fn csv_reads_missing_values_and_reports_the_rest() {
    let types = enforcer(TYPES, Casting::Lossless);
    let csv = "b,i,l,f,d,s,by,dt\nTrue,1,2,1.5,,NA,aGVsbG8=,2024-01-02\n";
    let request = types.csv(csv.as_bytes()).unwrap();
    assert!(request.batch.column(4).is_null(0) && request.batch.column(5).is_null(0));
    let rejection = enforcer(IRIS, Casting::Lossless).csv(b"a,b\nx,1\n1,2,3\n").unwrap_err();
    assert_eq!(rejection.violations_total, 2);
    assert!(rejection.message.contains("column a to type 'float64'"), "{rejection}");
    // As pandas reads cells: whole numbers with a point, booleans as numbers, no underscores.
    for casting in [Casting::Strict, Casting::Lossless, Casting::Upstream] {
        let row = |b: &str, i: &str, d: &str| {
            let csv = format!("b,i,l,f,d,s,by,dt\n{b},{i},1e3,1,{d},x,aGVsbG8=,2024-01-02\n");
            enforcer(TYPES, casting).csv(csv.as_bytes())
        };
        let request = row("1", "-2.0", "5").unwrap();
        assert!(request.batch.column(0).as_boolean().value(0));
        assert_eq!(request.batch.column(1).as_primitive::<Int32Type>().value(0), -2);
        assert_eq!(request.batch.column(2).as_primitive::<Int64Type>().value(0), 1000);
        assert!(!row("0.0", "2", "5").unwrap().batch.column(0).as_boolean().value(0));
        let booleans = row("1", "True", "FALSE").unwrap();
        assert_eq!(booleans.batch.column(1).as_primitive::<Int32Type>().value(0), 1);
        assert_eq!(doubles(&booleans.batch, 4), [0.0]);
        for (b, i, d) in
            [("2", "1", "1"), ("1", "1.5", "1"), ("1", "1", "1_000"), ("1", "1_0", "1")]
        {
            assert!(row(b, i, d).is_err(), "{b} {i} {d} {casting:?}");
        }
    }
    let empty = enforcer(IRIS, Casting::Lossless).csv(b"").unwrap_err();
    assert!(empty.message.contains("No columns to parse from file"));
    assert!(enforcer(TENSOR, Casting::Lossless).csv(b"a\n1\n").is_err());
}

#[test]
fn a_table_of_text_is_read_as_the_csv_whose_cells_it_has() {
    let text = |cells: [Option<&str>; 2]| {
        std::sync::Arc::new(cells.into_iter().collect::<arrow_array::StringArray>())
            as arrow_array::ArrayRef
    };
    let table = RecordBatch::try_from_iter([
        ("dt", text([Some("2024-01-02"), Some("2024-01-03")])),
        ("b", text([Some("True"), Some("0.0")])),
        ("i", text([Some("1"), Some("-2.0")])),
        ("l", text([Some("2"), Some("1e3")])),
        ("f", text([Some("1.5"), None])),
        ("d", text([None, Some("nan")])),
        ("s", text([Some("NA"), Some("x")])),
        ("by", text([Some("aGVsbG8="), Some("aGVsbG8=")])),
        ("more", text([None, Some("y")])),
    ]);
    let csv = "dt,b,i,l,f,d,s,by,more\n2024-01-02,True,1,2,1.5,,NA,aGVsbG8=,\n\
               2024-01-03,0.0,-2.0,1e3,,nan,x,aGVsbG8=,y\n";
    let types = enforcer(TYPES, Casting::Lossless);
    let (cells, lines) =
        (types.texts(&table.unwrap()).unwrap(), types.csv(csv.as_bytes()).unwrap());
    assert_eq!(format!("{:?}", cells.batch), format!("{:?}", lines.batch));
    assert_eq!(cells.ignored, lines.ignored);

    let wrong = [("a", text([Some("1"), Some("x")]))];
    let wrong = RecordBatch::try_from_iter(wrong).unwrap();
    let (iris, few) = (enforcer(IRIS, Casting::Lossless), "a\n1\nx\n");
    assert_eq!(iris.texts(&wrong).unwrap_err(), iris.csv(few.as_bytes()).unwrap_err());
    assert!(!enforcer(TENSOR, Casting::Lossless).reads_texts());
}
