//! Reads tables (CSV with pandas' typing rules, Parquet, folders, globs) into Arrow columns.
