//! Models of the real libraries, compared with what the libraries answer.

mod damage;
mod estimators;
mod folders;
mod onnx;
mod support;
