# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_inventory LINK coolplane_inventory)
coolplane_unit_test(test_gate LINK coolplane_gate coolplane_drivers)
target_compile_definitions(test_gate PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
coolplane_unit_test(test_gate_step LINK coolplane_gate coolplane_drivers)
target_compile_definitions(test_gate_step PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
coolplane_unit_test(test_envelope LINK coolplane_gate coolplane_num)
coolplane_unit_test(test_gate_vm LINK coolplane_gate coolplane_drivers)
target_compile_definitions(test_gate_vm PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
