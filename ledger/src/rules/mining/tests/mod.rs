//! AI mining (spec 6): the rules one by one, what conflicts with what, and random histories against a model.

mod anti_sybil_tests;
mod completion_tests;
mod conflict_tests;
mod differential;
mod envelope_tests;
mod history;
mod model;
mod publish_tests;
mod register_tests;
mod score_tests;
mod submit_tests;
mod validate_tests;
mod world;
