// Flags::Impl: one CLI11 app or subcommand.
#pragma once

#include <degu/app/flags.h>

#include <CLI/CLI.hpp>

namespace degu::app {

struct Flags::Impl {
  explicit Impl(CLI::App* app) noexcept : cli(app) {}
  CLI::App* cli;  // owned by the root app
};

}  // namespace degu::app
