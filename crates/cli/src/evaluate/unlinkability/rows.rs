//! Every figure of linkage: what lies between two templates, which samples they are of, which function links them.
//!
//! Invariant: equal options on an equal folder give equal rows, whatever the number of threads.

use super::{
    Enrolled, Unlinkability as Options,
    linkage::{Function, Linked, link},
    places::{Between, Draw, Samples},
};
use crate::evaluate::{
    RESAMPLING,
    crew::Crew,
    plots::{self, linkage::Panel},
};
use anyhow::{Context, Result};
use biometrics::error_rates::Unlinkability;
use serde::Serialize;
use std::fs;

/// People whom each meets in one draw, besides the one of the null control.
const OTHERS: usize = 4;

/// Which samples the two templates of a mated pair are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pictures {
    /// One picture's features in both: the hardest case, and what a renewal is.
    Same,
    /// Two pictures.
    Another,
}

impl Pictures {
    /// Its name in tables and file names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Another => "another",
        }
    }
}

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// What lies between the templates; the positive control is measured between tenants.
    pub(super) between: Between,
    /// Positive control: the attacker holds the keys.
    pub(super) keys_known: bool,
    pub(super) pictures: Pictures,
    pub(super) function: Function,
    pub(super) people: usize,
    /// How often keys were drawn.
    pub(super) draws: usize,
    pub(super) mated: usize,
    pub(super) non_mated: usize,
    /// D↔sys.
    pub(super) system: f64,
    /// Its 95 % bounds, by drawing people again.
    pub(super) bounds_95: Option<[f64; 2]>,
    /// D↔sys of non-mated scores in place of the mated ones: the bias of these counts.
    pub(super) null: f64,
}

/// A row with what it is plotted from.
struct Figure {
    row: Row,
    estimate: Unlinkability,
}

/// All rows; pictures of which fewer than two people have another are left out.
pub(super) fn measure(crew: &Crew<'_>, people: &[Enrolled], options: &Options) -> Result<Vec<Row>> {
    let same = people.iter().map(|person| Samples { first: &person.portrait, second: None }).collect();
    let two = people.iter().filter(|person| person.another.is_some());
    let another = two.map(|person| Samples { first: &person.portrait, second: person.another.as_ref() }).collect();
    let sets: [(Pictures, Vec<Samples<'_>>); 2] = [(Pictures::Same, same), (Pictures::Another, another)];
    let mut rows = Vec::new();
    for (pictures, samples) in sets.iter().filter(|(_, samples)| samples.len() > 1) {
        let set = Set { crew, pictures: *pictures, samples, options };
        let known = set.figures(Between::Tenants, true)?;
        for between in Between::ALL {
            let unknown = set.figures(between, false)?;
            set.plot(&unknown, &known)?;
            rows.extend(unknown.into_iter().map(|figure| figure.row));
        }
        rows.extend(known.into_iter().map(|figure| figure.row));
    }
    Ok(rows)
}

/// People of one kind of mated pairs.
struct Set<'a> {
    crew: &'a Crew<'a>,
    pictures: Pictures,
    samples: &'a [Samples<'a>],
    options: &'a Options,
}

impl Set<'_> {
    /// One figure for each function.
    fn figures(&self, between: Between, keys_known: bool) -> Result<Vec<Figure>> {
        // Scores without keys do not depend on the keys: one draw, and everybody meets everybody.
        let (draws, others) = match keys_known {
            true => (1, self.samples.len()),
            false => (self.options.pairs.div_ceil(self.samples.len()).max(1), OTHERS),
        };
        let linked = self.crew.each(("drawn keys", draws), |_, number| {
            let draw = Draw { between, seed: self.options.setup.seed, number: number as u64, keys_known };
            Ok(link(draw, self.samples, others))
        })?;
        let mut all = [Linked::default(), Linked::default()];
        for draw in linked {
            all.iter_mut().zip(draw).for_each(|(all, one)| all.append(one));
        }
        let figure = |(function, linked): (Function, Linked)| {
            // Keys drawn again change scores, and what rounding leaves of lengths.
            let independent = linked.mated.len();
            let estimate = Unlinkability::new(&linked.mated, &linked.non_mated, independent)?;
            let row = Row {
                between,
                keys_known,
                pictures: self.pictures,
                function,
                people: self.samples.len(),
                draws,
                mated: linked.mated.len(),
                non_mated: linked.non_mated.len(),
                system: estimate.system(),
                bounds_95: estimate.interval(RESAMPLING).map(|bounds| [bounds.lower, bounds.upper]),
                null: Unlinkability::new(&linked.null, &linked.non_mated, independent)?.system(),
            };
            Ok(Figure { row, estimate })
        };
        Function::ALL.into_iter().zip(all).map(figure).collect()
    }

    fn plot(&self, unknown: &[Figure], known: &[Figure]) -> Result<()> {
        let Some(folder) = self.options.plots.as_deref() else { return Ok(()) };
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        for (without, with) in unknown.iter().zip(known) {
            let Row { between, function, pictures, .. } = &without.row;
            let name = format!("unlinkability-{}-{}-{}", between.name(), pictures.name(), function.name());
            let told = |what: &str, figure: &Figure| Panel {
                title: format!("{what}: D_sys {:.4}, null control {:.4}", figure.row.system, figure.row.null),
                points: figure.estimate.local(),
            };
            let about = format!("{}, between {}, {} picture", self.crew.pack.name(), between.name(), pictures.name());
            let panels = [told(&format!("{about}, keyed transform"), without), told("keys known", with)];
            let axis = match function {
                Function::Comparison => "comparison score",
                Function::Length => "digits in which lengths agree",
            };
            plots::linkage::draw(folder, (&name, axis), &panels)?;
        }
        Ok(())
    }
}
