//! Learned models against onnxruntime (`tests/golden/onnx/make.py`), and files that cannot be run: each is refused by name,
//! and no file, however broken, is a panic.
#![expect(clippy::panic, clippy::expect_used, reason = "a test may")]

use std::path::PathBuf;

use geminus_models::onnx::{FILE_BYTES_MAX, Model, OnnxError, Tensor};
use proptest::prelude::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/onnx")
}

fn file(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.onnx"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Tensors of a golden text, of one kind.
fn tensors(name: &str, kind: &str) -> Vec<Tensor> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).expect("golden text");
    let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
    let tensor = |line: &str| {
        let (dims, values) = line.split_once(" : ").expect("shape : values");
        let dims: Vec<usize> = dims.split_whitespace().map(|dim| dim.parse().expect("a length")).collect();
        let values = values.split(' ').map(|value| value.parse().expect("a number")).collect();
        Tensor::new(&dims, values).expect("as many numbers as the shape says")
    };
    lines.map(tensor).collect()
}

fn check(name: &str) {
    let model = Model::read(&file(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let found = model.run(&tensors(name, "in")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let expected = tensors(name, "out");
    assert_eq!(found.len(), expected.len(), "{name}");
    let mut worst = 0.0_f32;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let (found, expected) = (found.floats().expect("floats"), expected.floats().expect("floats"));
        worst = found.iter().zip(expected).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
    }
    println!("{name}: off by {worst:.1e} at most");
    assert!(worst <= 1e-6, "{name}: off by {worst:e}");
}

#[test]
fn layers_and_operators_equal_onnxruntime() {
    for name in ["gru-after-reset", "gru-before-reset", "lstm", "lstm-failure", "everything-else"] {
        check(name);
    }
}

#[test]
fn what_cannot_be_run_is_refused_by_node_and_field() {
    let check = |name: &str, says: &[&str]| {
        let error = Model::read(&file(&format!("refused/{name}"))).expect_err(name).to_string();
        for part in says {
            assert!(error.contains(part), "{name}: {error:?} does not say {part:?}");
        }
    };
    check("operator", &["node \"filter\" (Conv)", "cannot be run here", "GRU"]);
    check("domain", &["node \"bend\" (Gelu)", "com.vendor"]);
    check("direction", &["node \"gru\" (GRU)", "attribute direction", "forward"]);
    check("activations", &["node \"gru\" (GRU)", "attribute activations"]);
    check("clip", &["node \"gru\" (GRU)", "attribute clip"]);
    check("opset", &["opset_import: version 9", "13 to 21"]);
    check("order", &["node \"early\" (Relu)", "its input \"z\" is made by no node before it"]);
    check("type", &["\"x\"", "elem_type 11"]);
    check("weights", &["initializer \"K\"", "not finite"]);
    check("outside", &["initializer \"K\"", "another file"]);
}

#[test]
fn inputs_that_do_not_fit_are_refused_by_name() {
    let model = Model::read(&file("lstm-failure")).expect("a model");
    let check = |inputs: &[Tensor], says: &str| {
        let error = model.run(inputs).expect_err(says).to_string();
        assert!(error.starts_with("input \"x\"") && error.contains(says), "{error:?} does not say {says:?}");
    };
    check(&[], "is not given");
    let short = Tensor::new(&[1, 29, 4], vec![0.0; 116]).expect("a tensor");
    check(&[short], "has shape [1, 29, 4], the model wants [1, 30, 4]");
    check(&[Tensor::new(&[1, 0, 4], vec![]).expect("a tensor")], "has shape [1, 0, 4]");
    for bad in [f32::NAN, f32::INFINITY] {
        let holes = Tensor::new(&[1, 30, 4], vec![bad; 120]).expect("a tensor");
        check(&[holes], "not a finite number");
    }
}

#[test]
fn a_result_that_is_no_number_is_an_error_even_where_a_limit_would_hide_it() {
    let model = Model::read(&file("everything-else")).expect("a model");
    let huge = Tensor::new(&[3, 4], vec![f32::MAX; 12]).expect("a tensor");
    model.run(&[huge]).expect("what is finite, though far off, has an answer");
    // Without the divisor's weights: 0 instead of 1 … 2, so that the quotient is infinite and the clip would hide it.
    let mut bytes = file("everything-else");
    let weights = model.run(&tensors("everything-else", "in")).expect("runs");
    assert!(!weights.is_empty());
    let at = bytes.windows(5).position(|five| five == b"scale").expect("a weight's name");
    let at = bytes[at + 5..]
        .windows(7)
        .position(|seven| seven == b"\x42\x05scale")
        .map(|k| at + 5 + k)
        .unwrap_or(at);
    let raw =
        bytes[at..].windows(2).position(|two| two == [0x4a, 12]).map(|k| at + k + 2).expect("its raw data");
    bytes[raw..raw + 12].fill(0);
    let broken = Model::read(&bytes).expect("still a model");
    let one = Tensor::new(&[3, 4], vec![1.0; 12]).expect("a tensor");
    let error = broken.run(&[one]).expect_err("infinite").to_string();
    assert!(error.contains("(Div)") && error.contains("not a finite number"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_is_refused_wherever_it_is_cut() {
    let whole = file("lstm-failure");
    let mut named = 0;
    for length in 0..whole.len() {
        match Model::read(&whole[..length]) {
            Err(error) => named += usize::from(!error.to_string().is_empty()),
            Ok(_) => panic!("{length} of {} bytes make a model", whole.len()),
        }
    }
    assert_eq!(named, whole.len());
    let error = Model::read(&whole[..whole.len() / 2]).expect_err("half a file");
    assert!(matches!(&error, OnnxError::File { reason, .. } if reason.contains("are left")), "{error}");
    assert!(Model::read(&vec![0; FILE_BYTES_MAX + 1]).expect_err("too long").to_string().contains("at most"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_wrong_bytes_is_never_a_panic_nor_a_number_that_is_none(
        which in 0..3_usize, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let name = ["gru-after-reset", "lstm-failure", "everything-else"][which];
        let mut bytes = file(name);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(model) = Model::read(&bytes)
            && let Ok(outputs) = model.run(&tensors(name, "in"))
        {
            for output in outputs {
                prop_assert!(output.floats().is_none_or(|values| values.iter().all(|v| v.is_finite())));
            }
        }
    }
}
