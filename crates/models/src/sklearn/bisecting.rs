//! `BisectingKMeans`: a tree of two centres each.
//!
//! A row goes from the root to the nearer centre of each pair. That is not always the nearest of all
//! centres, which is why `cluster_centers_` do not answer.

use super::data::{Output, Table};
use super::estimator::{Estimator, Fields};
use super::projection::Centres;
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] =
    &[Reader::new("BisectingKMeans", |fields, _| bisecting(fields))];

/// Levels of the tree. Each level parts a cluster, so that only a chain of outliers goes deep.
const DEPTH_MAX: usize = 1_000;

#[derive(Debug)]
struct Bisecting {
    nodes: Vec<Node>,
    centres: Centres,
    features: usize,
}

#[derive(Debug)]
enum Node {
    Cluster(i64),
    Pair { centres: [Vec<f64>; 2], norms: [f64; 2], children: [usize; 2] },
}

fn bisecting(fields: Fields<'_>) -> Result<Boxed> {
    let centres = Centres::read(fields)?;
    let features = centres.0.columns;
    let mean = fields.optional_numbers("_X_mean")?.unwrap_or_else(|| vec![0.0; features]);
    if mean.len() != features {
        return Err(fields.malformed(format!("_X_mean of {} columns", mean.len())));
    }
    let mut nodes = vec![Node::Cluster(0)];
    let mut open = vec![(Fields(fields.value("_bisecting_tree")?), 0, 0)];
    let mut clusters = 0;
    while let Some((node, place, depth)) = open.pop() {
        let pair = [node.optional("left"), node.optional("right")];
        let made = match pair {
            [None, None] => {
                clusters += 1;
                Node::Cluster(node.count("label")? as i64)
            }
            [Some(left), Some(right)] if depth < DEPTH_MAX && nodes.len() < 2 * centres.0.rows => {
                let centre = |side| {
                    let mut centre = Fields(side).numbers("center")?;
                    if centre.len() != features {
                        return Err(fields.malformed("a centre of another width"));
                    }
                    centre.iter_mut().zip(&mean).for_each(|(x, mean)| *x += mean);
                    Ok::<_, Error>(centre)
                };
                let centres = [centre(left)?, centre(right)?];
                let norms = [0, 1].map(|side: usize| {
                    centres.get(side).into_iter().flatten().map(|x| x * x).sum::<f64>()
                });
                let children = [nodes.len(), nodes.len() + 1];
                nodes.extend([Node::Cluster(0), Node::Cluster(0)]);
                for (side, child) in [left, right].into_iter().zip(children) {
                    open.push((Fields(side), child, depth + 1));
                }
                Node::Pair { centres, norms, children }
            }
            _ => return Err(fields.malformed("_bisecting_tree is no tree of pairs")),
        };
        if let Some(slot) = nodes.get_mut(place) {
            *slot = made;
        }
    }
    if clusters != centres.0.rows {
        return Err(fields.malformed(format!(
            "_bisecting_tree has {clusters} clusters, cluster_centers_ {}",
            centres.0.rows
        )));
    }
    Ok(Box::new(Bisecting { nodes, centres, features }))
}

impl Bisecting {
    fn cluster(&self, row: &[f64]) -> i64 {
        let mut at = 0;
        loop {
            match self.nodes.get(at) {
                // Children come behind their parent, so this ends.
                Some(Node::Pair { centres, norms, children }) => {
                    let [left, right] = [0, 1].map(|side: usize| {
                        let centre = centres.get(side).map_or(&[][..], Vec::as_slice);
                        let product: f64 = row.iter().zip(centre).map(|(x, c)| x * c).sum();
                        norms.get(side).copied().unwrap_or_default() - 2.0 * product
                    });
                    at = if right < left { children[1] } else { children[0] };
                }
                Some(Node::Cluster(label)) => return *label,
                None => return 0,
            }
        }
    }
}

impl Estimator for Bisecting {
    fn predict(&self, x: &Table) -> Result<Output> {
        let x = x.finite()?;
        x.check_width(self.features)?;
        Ok(Output::Integers(x.each_row().map(|row| self.cluster(row)).collect()))
    }

    fn transform(&self, x: Table) -> Result<Table> {
        self.centres.transform(x)
    }

    fn size_bytes(&self) -> usize {
        self.nodes.len() * (size_of::<Node>() + 2 * self.features * size_of::<f64>())
    }
}
