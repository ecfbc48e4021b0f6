use super::*;

fn panel(threshold: f32) -> Panel {
    Panel { detectors: Vec::new(), threshold: Some(threshold), cutter: Cutter::default() }
}

#[test]
fn only_a_score_at_or_above_the_threshold_passes() {
    let judged = |score: f32| panel(0.5).judge(&[vec![score]]).result;
    assert_eq!((judged(0.5).status, judged(0.5).reasons), (GateStatus::Pass, vec![]));
    let refused = judged(0.49);
    assert_eq!((refused.status, refused.reasons), (GateStatus::Fail, vec![GateReason::PresentationAttackSuspected]));
    assert_eq!(refused.version, METHOD);
}

#[test]
fn what_is_no_number_never_passes() {
    for threshold in [0.5, f32::NEG_INFINITY, f32::NAN] {
        for answers in [vec![], vec![vec![]], vec![vec![f32::NAN]], vec![vec![9.0], vec![f32::NAN]]] {
            let found = panel(threshold).judge(&answers);
            assert_eq!(found.result.status, GateStatus::Inconclusive, "{answers:?}");
            assert_eq!(found.result.reasons, [GateReason::PresentationAttackNoView]);
            assert!(found.score.is_none());
        }
    }
    assert_eq!(panel(f32::NAN).judge(&[vec![9.0]]).result.status, GateStatus::Fail);
}

#[test]
fn probabilities_and_logits_become_log_odds() {
    let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-4, "{a} {b}");
    close(Reading::Probabilities.log_odds(&[0.1, 0.8, 0.1], 1), 4.0_f32.ln());
    close(Reading::Logits.log_odds(&[3.0, 1.0], 0), 2.0);
    close(Reading::Logits.log_odds(&[1.0, 2.0, 1.0], 1), 1.0 - 2.0_f32.ln());
    assert!(Reading::Probabilities.log_odds(&[0.0, 1.0], 0) < -13.0);
    assert!(Reading::Probabilities.log_odds(&[0.0, 1.0], 1).is_finite());
    assert!(Reading::Logits.log_odds(&[0.0, 1.0], 2).is_nan());
}

#[test]
fn without_an_operating_point_nothing_is_judged() {
    let found = Panel { threshold: None, ..panel(0.0) }.judge(&[vec![9.0]]);
    assert_eq!((found.result.status, found.score), (GateStatus::NotRun, Some(6.0)));
    assert_eq!(found.result.reasons, [GateReason::NoModel]);
}
