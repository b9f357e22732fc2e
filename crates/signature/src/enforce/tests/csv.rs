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
