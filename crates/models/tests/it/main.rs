//! Models of the real libraries, compared with what the libraries answer.

mod folders;
mod onnx;
mod support;
