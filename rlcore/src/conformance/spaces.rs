//! Checks that the declared spaces are consistent. This check comes first, because memory is laid out from the spaces.
use super::{Clause, Violations};
use crate::env::{EnvSpaces, Reduce};
use crate::schema::{DType, LeafSpec};
use crate::space::{BoxSpace, Space};
use std::collections::HashSet;

/// `None` if no memory can be laid out from the spaces.
pub(super) fn consistent(spaces: &EnvSpaces, found: &mut Violations) -> Option<()> {
    let before = found.0.len();
    let faults = [
        faults_of("observation", &spaces.observation),
        faults_of("action", &spaces.action),
        faults_of_info(spaces),
        faults_of_mask(spaces),
    ];
    let mut faults = faults.concat();
    if spaces.truncates_every == Some(0) {
        faults.push("`truncates_every` is 0; 1 says that any step may truncate.".to_owned());
    }
    if !faults.is_empty() {
        found.add(Clause::Spaces, faults.join(" "));
    }
    (found.0.len() == before).then_some(())
}

fn faults_of(root: &str, space: &Space) -> Vec<String> {
    let leaves = space.leaf_spaces(root);
    let mut faults = Vec::new();
    if leaves.is_empty() {
        faults.push(format!("The {root} space has no leaf."));
    }
    for (name, leaf) in &leaves {
        match leaf {
            Space::Discrete { n: 0 } => faults.push(format!("`{name}` has no value.")),
            Space::MultiDiscrete { n } if n.is_empty() || n.contains(&0) => {
                faults.push(format!("`{name}` has a component without a value."));
            }
            Space::Box(b) => faults.extend(faults_of_box(name, b)),
            _ => {}
        }
    }
    faults.extend(repeated(leaves.iter().map(|(name, _)| name.as_str())));
    faults
}

fn faults_of_box(name: &str, b: &BoxSpace) -> Option<String> {
    let elems: usize = b.shape.iter().product();
    if elems == 0 {
        return Some(format!("`{name}` has no element."));
    }
    if [&b.low, &b.high].iter().any(|v| v.len() != 1 && v.len() != elems) {
        return Some(format!(
            "`{name}` has bounds for another number of elements than its {elems}."
        ));
    }
    let at = |v: &[f64], i: usize| if v.len() == 1 { v[0] } else { v[i] };
    let (least, most) = range(b.dtype);
    let fits = |i: usize| {
        let (low, high) = (at(&b.low, i), at(&b.high, i));
        low <= high && least <= low && high <= most
    };
    let stray = (0..elems).find(|i| !fits(*i))?;
    let (low, high) = (at(&b.low, stray), at(&b.high, stray));
    Some(format!("`{name}` has bounds {low}..={high}, which is no range of {:?}.", b.dtype))
}

/// The least and the largest value of a type.
fn range(dtype: DType) -> (f64, f64) {
    match dtype {
        DType::F32 | DType::F64 => (f64::NEG_INFINITY, f64::INFINITY),
        DType::I32 => (i32::MIN as f64, i32::MAX as f64),
        DType::I64 => (i64::MIN as f64, i64::MAX as f64),
        DType::U8 => (0.0, 255.0),
        DType::Bool => (0.0, 1.0),
    }
}

fn faults_of_info(spaces: &EnvSpaces) -> Vec<String> {
    let mut faults = repeated(spaces.info.iter().map(|i| i.spec.name.as_str()));
    let not_scalar = |spec: &LeafSpec| spec.elems() != 1;
    for leaf in spaces.info.iter().filter(|i| i.log != Reduce::None && not_scalar(&i.spec)) {
        let LeafSpec { name, shape, .. } = &leaf.spec;
        faults.push(format!(
            "Info `{name}` is logged, so it must be a scalar; its shape is {shape:?}."
        ));
    }
    faults
}

fn faults_of_mask(spaces: &EnvSpaces) -> Vec<String> {
    let Some(leaf) = spaces.action_mask else { return vec![] };
    let leaves = spaces.observation.leaves("observation");
    match (leaves.get(leaf), spaces.action.discrete_n()) {
        (None, _) => {
            vec![format!("The action mask is leaf {leaf} of an observation of {}.", leaves.len())]
        }
        (_, None) => {
            vec!["There is an action mask, but the action space is not Discrete.".to_owned()]
        }
        (Some(mask), Some(n)) if mask.shape != [n] => {
            vec![format!("The action mask has shape {:?}, there are {n} actions.", mask.shape)]
        }
        _ => vec![],
    }
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|n| !seen.insert(*n)).map(|n| format!("There are two leaves `{n}`.")).collect()
}
