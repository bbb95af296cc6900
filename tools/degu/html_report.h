// to_html: the report as a page of its own.
#pragma once

#include <string>

#include "report.h"

namespace degu::bench {

/// A whole page, its style and its plots in it: it asks for nothing else, runs no scripts, and fits a phone.
std::string to_html(const Report& report);

}  // namespace degu::bench
