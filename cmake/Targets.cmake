# SPDX-License-Identifier: Apache-2.0
# Small helpers so that every room's CMakeLists says only what is in it.

# coolplane_library(NAME SOURCES a.c b.c LINK x y)
function(coolplane_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC coolplane_flags ${ARG_LINK})
endfunction()

# coolplane_program(NAME SOURCES a.c LINK x y)
function(coolplane_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coolplane_flags ${ARG_LINK})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# coolplane_unit_test(test_x [SOURCES more.c] [LINK libs]): tests/unit/test_x.c with cmocka, label unit.
function(coolplane_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
  add_executable(${name} ${name}.c ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coolplane_flags ${ARG_LINK} PkgConfig::CMOCKA m)
  add_test(NAME unit.${name} COMMAND ${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()
