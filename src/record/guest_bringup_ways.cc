// SPDX-License-Identifier: Apache-2.0
//
// The steps of guest_bringup.h that have more than one way, best first.
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "record/guest_bringup.h"
#include "record/guest_kallsyms_scan.h"
#include "record/guest_scans.h"

namespace iovm::record {
namespace {

std::string meaning_text(const Kallsyms& symbols) {
  constexpr std::string_view kWords[] = {"absolute per-CPU", "from a base", "from their place"};
  return format("{} in kallsyms, offsets {}", symbols.count,
                kWords[static_cast<std::size_t>(symbols.meaning)]);
}

Result<Kallsyms> read_symbols(const KernelSpace& kernel, const VmcoreInfo& info,
                              const std::optional<KallsymsTables>& tables,
                              const char* without_tables) {
  if (!tables) return input_error(without_tables);
  return read_kallsyms(kernel, *tables, {"_stext", info.symbol("_stext").value_or(0)},
                       wanted_symbols());
}

Result<Btf> read_btf(const KernelSpace& kernel, const Kallsyms& symbols) {
  if (symbols.symbols.empty()) return input_error("no symbol says where they are");
  auto start = symbols.find("__start_BTF");
  auto stop = symbols.find("__stop_BTF");
  if (!start || !stop || *stop <= *start)
    return input_error("this kernel was built without type information (CONFIG_DEBUG_INFO_BTF)");
  if (*stop - *start > Btf::kMaxBytes)
    return input_error(
        format("{} of type information are too many", describe_size(*stop - *start)));
  std::vector<std::byte> bytes(*stop - *start);
  if (!kernel.read(*start, std::span(bytes)))
    return input_error("the type information is not mapped");
  return Btf::parse(std::move(bytes));
}

}  // namespace

Found<Kallsyms> find_symbols(const KernelSpace& kernel, const VmcoreInfo& info,
                             KernelImage& image) {
  auto told = read_symbols(kernel, info, kallsyms_tables(info),
                           "VMCOREINFO does not say where kallsyms is");
  if (told) return {*told, meaning_text(*told), ""};
  std::string why_not = told.error().message();
  auto scanned = read_symbols(kernel, info, scan_for_kallsyms(image), "no tables of it");
  if (scanned) return {*scanned, meaning_text(*scanned) + ", found by a scan", why_not};
  why_not += "; a scan of the kernel's image: " + scanned.error().message();
  return {{}, "none: what they would say is looked for", why_not};
}

Result<Found<Btf>> find_types(const KernelSpace& kernel, const Kallsyms& symbols,
                              KernelImage& image) {
  auto told = read_btf(kernel, symbols);
  if (told) {
    std::string words = format("{} types in BTF", told->types());
    return Found<Btf>{std::move(*told), std::move(words), ""};
  }
  std::string why_not = told.error().message();
  auto scanned = scan_for_btf(image);
  if (!scanned) return input_error(why_not + "; a scan of the kernel's image finds none");
  std::string words = format("{} types in BTF, found by a scan", scanned->types());
  return Found<Btf>{std::move(*scanned), std::move(words), std::move(why_not)};
}

Result<Found<std::uint64_t>> find_first_task(const KernelSpace& kernel, const KernelLayout& layout,
                                             KernelImage& image) {
  if (layout.init_task != 0) return Found<std::uint64_t>{layout.init_task, "", ""};
  std::string why_not = "no symbol says where init_task is";
  auto scanned = scan_for_first_task(kernel, image, layout);
  if (!scanned) return input_error(why_not + "; a scan of the kernel's image finds no swapper/0");
  return Found<std::uint64_t>{*scanned, ", found by a scan", std::move(why_not)};
}

Found<std::optional<CpuLayout>> find_cpus(const GuestKernel& kernel, const TaskWalk& tasks,
                                          KernelImage& image) {
  if (kernel.layout().cpu) return {kernel.layout().cpu, "", ""};
  std::string why_not = "no symbol says where CPUs have their running task";
  auto scanned = scan_for_cpus(kernel.space(), image, kernel.layout(), tasks);
  if (scanned) return {*scanned, ", found by a scan", std::move(why_not)};
  return {std::nullopt, ": processes are told apart by their page tables alone",
          why_not + "; a scan: " + scanned.error().message()};
}

}  // namespace iovm::record
