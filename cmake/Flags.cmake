# SPDX-License-Identifier: Apache-2.0
# One interface target carries every warning, hardening and floating-point flag; every target links it.
add_library(coolplane_flags INTERFACE)
target_include_directories(coolplane_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(coolplane_flags INTERFACE
  _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE COOLPLANE_VERSION="${PROJECT_VERSION}")
target_compile_options(coolplane_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wdouble-promotion -Wmissing-prototypes -Wstrict-prototypes
  -Wformat=2 -Wundef -Wvla -Wcast-qual -Wimplicit-fallthrough -fno-common
  # replay identity: no contraction, no reassociation
  -ffp-contract=off -fno-fast-math
  # the same source makes the same executable in whatever folder: compare --resume knows a build by its bytes
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=)
if(COOLPLANE_WERROR)
  target_compile_options(coolplane_flags INTERFACE -Werror)
endif()

if(COOLPLANE_SANITIZE)
  target_compile_options(coolplane_flags INTERFACE
    -fsanitize=${COOLPLANE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(coolplane_flags INTERFACE -fsanitize=${COOLPLANE_SANITIZE})
endif()
if(COOLPLANE_FUZZ) # coverage of the libraries for libFuzzer; the targets themselves link with -fsanitize=fuzzer
  target_compile_options(coolplane_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(coolplane_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(coolplane_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
endif()
target_link_options(coolplane_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

include(CheckPIESupported)
check_pie_supported()
