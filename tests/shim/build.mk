# Called by build.sh in the folder of the objects, with SHIM, OUT, VARIANT and INCLUDES.
ifeq ($(origin CXX),default)
CXX := c++
endif
# Frames larger than a page touch the guard page below a stack, too.
flags := -std=c++20 -O2 -ffp-contract=off -fPIC -pthread -fvisibility=hidden -fstack-clash-protection -Wno-unknown-pragmas
ifeq ($(VARIANT),sanitize)
# Without much optimisation, which takes long here.
flags += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g
endif

# Shared arrays of kernels are between the two markers.
driver := shared_begin.o kernels_float32.o kernels_float64.o shared_end.o \
    fiber.o block.o registry.o settings.o driver.o driver_context.o driver_memory.o driver_stream.o driver_module.o
nvrtc := nvrtc.o

all: $(OUT)/libcuda.so $(OUT)/libnvrtc.so

# An object is as old as the beginning of its compilation: a source that changed meanwhile is newer.
define compile
	touch $@.start
	$(CXX) $(flags) $(INCLUDES) -MMD -MP -MF $(@:.o=.d) -MT $@ $(1) -c $(2) -o $@.new
	touch -r $@.start $@.new
	mv $@.new $@
endef

define link
	$(CXX) $(flags) -shared -Wl,-soname,$(@F) $(filter %.o,$^) -o $@.new
	touch -r $(OUT)/objects/inputs $@.new
	mv $@.new $@
	touch $@
endef

# The slowest first.
kernels_float64.o: kernels.cpp
	$(call compile,-DCPU_CUDA -DS2DPES_DOUBLE,$<)
kernels_float32.o: kernels.cpp
	$(call compile,-DCPU_CUDA,$<)
shared_begin.o: $(SHIM)/shared_marker.cpp
	$(call compile,-DMARKER=shim_shared_begin,$<)
shared_end.o: $(SHIM)/shared_marker.cpp
	$(call compile,-DMARKER=shim_shared_end,$<)
%.o: $(SHIM)/%.cpp
	$(call compile,,$<)

$(OUT)/libcuda.so: $(driver) $(OUT)/objects/inputs
	$(link)
$(OUT)/libnvrtc.so: $(nvrtc) $(OUT)/objects/inputs
	$(link)

$(driver) $(nvrtc): $(SHIM)/build.mk

-include $(patsubst %.o,%.d,$(driver) $(nvrtc))
