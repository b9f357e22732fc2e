//! BigQuery's driver and statements with an emulator, by hand: `tests/bigquery/README.md` says how.

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use trainyard_engine::{DRIVER_VARIABLE, Error, Limits, Source, summarize};

use crate::conditions::same_rows_of;
use crate::same_report::{quantised, same_reports};
use crate::tables::{ROWS, day, only};
use crate::warehouses::same_windows;

const NAMES: [&str; 11] = [
    "x",
    "gaps",
    "Continuous",
    "id",
    "whole",
    "many",
    "flag",
    "price",
    "day",
    "moment",
    "moment in a zone",
];

const CONDITIONS: [&str; 9] = [
    "x > 2",
    "not x > 2",
    "x < inf",
    "x = null or gaps > 40",
    "whole in (1, 3, 9)",
    "flag = true",
    "price > 4.05 and price <= 5",
    "day >= 2024-10-05T12:00:00Z",
    "moment > 2025-10-09T08:55:00.000001Z",
];

/// The columns of [`day`], in BigQuery's SQL.
fn rows(count: i64, shift: i64) -> String {
    format!(
        "select case mod(n, 97) when 0 then null when 1 then cast('NaN' as float64) when 2 then cast('inf' as float64) \
         when 3 then cast('-inf' as float64) when 4 then -0.0 when 5 then 0.0 else (mod(n, 501) + {shift}) / 50 end as x, \
         if(mod(n, 11) = 0, null, (mod(n, 331) + {shift}) / 7) as gaps, sqrt(n + 40 * {shift}) as `Continuous`, \
         r * 3 + {shift} as id, mod(n + {shift}, 8) as whole, mod(n, 700) + {shift} as many, \
         mod(n, 3 + {shift}) = 0 as flag, cast(mod(n, 900) + {shift} as numeric) / 100 as price, \
         date_add(date '1970-01-01', interval 20000 + mod(n, 28) day) as day, \
         if(mod(n, 11) = 0, null, datetime(timestamp_micros((1760000000 + mod(n, 5000)) * 1000000 + n))) as moment, \
         timestamp_micros((1760000000 + n) * 1000000 + 1) as `moment in a zone` \
         from (select r, mod(r * 7919, 12007) as n from unnest(generate_array(0, {count} - 1)) as r)"
    )
}

fn connection(address: &str) -> ManagedConnection {
    let library = std::env::var(DRIVER_VARIABLE).unwrap();
    let mut driver =
        ManagedDriver::load_dynamic_from_filename(library, None, AdbcVersion::V110).unwrap();
    let credentials = address.split_once("credentials=").unwrap().1;
    let kind = "adbc.bigquery.sql.auth_type.json_credential_file";
    let options = [
        ("adbc.bigquery.sql.project_id", "p"),
        ("adbc.bigquery.sql.dataset_id", "d"),
        ("adbc.bigquery.sql.auth_type", kind),
        ("adbc.bigquery.sql.auth_credentials", credentials),
    ];
    let options = options.map(|(key, value)| {
        (OptionDatabase::Other(key.to_owned()), OptionValue::String(value.to_owned()))
    });
    driver.new_database_with_opts(options).unwrap().new_connection().unwrap()
}

#[test]
fn bigquerys_statements_give_the_report_of_its_rows() {
    let Ok(address) = std::env::var("TRAINYARD_TEST_BIGQUERY") else { return };
    let mut connection = connection(&address);
    let tables = [("before", ROWS[0], 0), ("after", ROWS[1], 3), ("few", 2000, 0), ("none", 0, 0)];
    for (name, count, shift) in tables {
        let mut statement = connection.new_statement().unwrap();
        let rows = rows(count, shift);
        statement.set_sql_query(format!("create or replace table d.{name} as {rows}")).unwrap();
        statement.execute_update().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let limits = Limits::default();
    let of = |asked: &str| {
        let source = Source::parse(&format!("{address}&{asked}")).unwrap();
        summarize(&source, &limits).unwrap_or_else(|error| panic!("{asked}: {error}"))
    };
    let days = [day(ROWS[0], 0), day(ROWS[1], 3)].map(|day| only(&day, &NAMES));
    let engine = [of("table=d.before"), of("query=select * from d.after -- all of it")];
    assert_eq!(quantised(&engine[0]), ["Continuous", "id", "moment", "moment in a zone"]);
    assert!(engine[0].told.starts_with("was summed up by BigQuery at "), "{}", engine[0].told);
    same_reports(&engine, &days);
    let few = only(&day(2000, 0), &NAMES);
    same_rows_of(&format!("{address}&table=d.few"), &limits, &few, &CONDITIONS);
    same_windows(&format!("{address}&table=d.few"), &limits, &few);
    let none = of("table=d.none").profile;
    assert_eq!((none.rows(), none.columns().len()), (0, NAMES.len()));
    let missing = Source::parse(&format!("{address}&table=d.nothing")).unwrap();
    assert!(matches!(summarize(&missing, &limits).unwrap_err(), Error::Statement { .. }));
}
