# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_ipc LINK coolplane_ipc)
coolplane_unit_test(test_place LINK coolplane_place coolplane_num)
if(TARGET coolplane_energy)
  coolplane_unit_test(test_plan LINK coolplane_plan)
endif()
