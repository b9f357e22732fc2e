//! A stand-in for S3: moto's server, with a bucket.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{KillOnDrop, free_port, python, run_python, wait_for_port};

const MAKE_BUCKET: &str = r"
import sys, boto3
boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1').create_bucket(Bucket=sys.argv[2])
";

const UPLOAD: &str = r"
import sys, boto3
boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1').upload_file(sys.argv[4], sys.argv[2], sys.argv[3])
";

/// An S3 server of this machine that ends with the value.
#[derive(Debug)]
pub struct S3 {
    _process: KillOnDrop,
    /// `http://127.0.0.1:…`
    pub url: String,
    /// The bucket that was made.
    pub bucket: &'static str,
}

impl S3 {
    /// Starts a server and makes a bucket.
    pub fn start(bucket: &'static str) -> Self {
        let port = free_port();
        let mut command = Command::new(python());
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = KillOnDrop::spawn(&mut command);
        wait_for_port(port, Duration::from_mins(2));
        let s3 = Self { _process: process, url: format!("http://127.0.0.1:{port}"), bucket };
        run_python(MAKE_BUCKET, &[&s3.url, bucket], &s3.keys());
        s3
    }

    /// What a client's environment needs.
    pub fn keys(&self) -> [(&'static str, &str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MLFLOW_S3_ENDPOINT_URL", &self.url),
        ]
    }

    /// Puts a file into the bucket.
    pub fn upload(&self, key: &str, file: &str) {
        run_python(UPLOAD, &[&self.url, self.bucket, key, file], &self.keys());
    }
}
