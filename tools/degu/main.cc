// degu: the tools for services. usage: degu bench [OPTIONS] URL
#include <CLI/CLI.hpp>

#include "bench_command.h"

int main(int argc, char** argv) {
  CLI::App program("Tools for services", "degu");
  program.require_subcommand(1);
  degu::bench::BenchCommand bench;
  bench.declare(
      *program.add_subcommand("bench", "Sends requests to an HTTP server and says how it answered"));
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? degu::bench::kExitGood : degu::bench::kExitUsage;
  }
  return bench.run();
}
