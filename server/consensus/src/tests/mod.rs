mod fake;
mod node;
